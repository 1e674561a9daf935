"""``strided_conv3x3``: the convolution that halves a map, as pooled attentions begin with it."""

from __future__ import annotations

from math import prod

import torch.nn.functional as F
from torch import Tensor

from ..op import Draw
from . import _check
from ._define import define


def reference(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The op in plain torch; see :func:`strided_conv3x3`."""
    return F.conv2d(x, weight, bias, stride=2)


def _check_args(x, weight, bias) -> None:
    _check.image("x", x)
    _check.alike(x, "x", weight=weight, bias=bias)
    _check.conv("weight", weight, "bias", bias, x.shape[1], (3,))
    h, w = x.shape[2:]
    if min(h, w) < 3:
        raise ValueError(
            f"x is {w}x{h} pixels (width x height), but a convolution without padding needs at "
            "least 3x3; pad the picture"
        )


def _flops(x, weight, bias) -> int:
    n, _, h, w = x
    return 2 * n * ((h - 1) // 2) * ((w - 1) // 2) * prod(weight)


def _examples(draw: Draw) -> list[tuple]:
    return [(draw(2, 20, 19, 37), draw(26, 20, 3, 3), draw(26))]


STRIDED_CONV3X3 = define(
    "strided_conv3x3(Tensor x, Tensor weight, Tensor? bias) -> Tensor",
    check=_check_args,
    reference=reference,
    flops=_flops,
    activations=("x",),
    reach=lambda *_: None,  # the grid becomes coarser
    detail=lambda x, weight, bias: f"3x3, stride 2, {weight[1]} -> {weight[0]}",
    examples=_examples,
)


def strided_conv3x3(
    x: Tensor,  # [N, Ci, H, W], H and W >= 3
    weight: Tensor,  # [Co, Ci, 3, 3]
    bias: Tensor | None = None,  # [Co]
) -> Tensor:  # [N, Co, (H - 1) // 2, (W - 1) // 2]
    """A 3x3 convolution with stride 2 and no padding.

    ``sum_cij weight[o, c, i, j] * x[c, 2 y + i, 2 x + j] + bias[o]``. Enhanced spatial attention
    begins its pooled branch with it ("Residual Feature Aggregation Network", CVPR 2020), in RFDN
    (https://arxiv.org/abs/2009.11551) with three convolutions behind the pooling.

    Args:
        x: float32, float16, bfloat16 or float64; contiguous, channels_last or strided.
        weight, bias: of the dtype and on the device of ``x``.

    Returns:
        A fresh tensor of the dtype and memory format of ``x``.

    Raises:
        TypeError: an argument is no tensor, or dtypes differ or are not floating.
        ValueError: ``x`` is smaller than 3x3, shapes do not fit, or devices differ.
    """
    _check.tensors(x=x, weight=weight)
    _check.optional_tensors(bias=bias)
    return STRIDED_CONV3X3(x, weight, bias)
