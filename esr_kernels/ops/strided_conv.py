"""``strided_conv``: the convolution that halves a map, as pooled attentions and U-nets have it."""

from __future__ import annotations

from math import prod

import torch.nn.functional as F
from torch import Tensor

from ..op import Draw
from . import _check
from ._define import define

STRIDE = 2
_KERNELS = (2, 3, 4)
#: Rows and columns of the kernel, and its zero padding.
SIZES = ((2, 0), (3, 0), (3, 1), (4, 1))


def reference(x: Tensor, weight: Tensor, bias: Tensor | None, padding: int) -> Tensor:
    """The op in plain torch; see :func:`strided_conv`."""
    return F.conv2d(x, weight, bias, STRIDE, padding)


def _check_args(x, weight, bias, padding) -> None:
    _check.image("x", x)
    _check.alike(x, "x", weight=weight, bias=bias)
    _check.conv("weight", weight, "bias", bias, x.shape[1], _KERNELS)
    kernel = weight.shape[-1]
    if (kernel, padding) not in SIZES:
        known = ", ".join(str(p) for k, p in SIZES if k == kernel)
        raise ValueError(f"a {kernel}x{kernel} kernel has a padding of {known} here, not {padding}")
    padded = f"a {kernel}x{kernel} convolution with a padding of {padding} needs"
    _check.room(x, kernel - 2 * padding, padded)


def _flops(x, weight, bias, padding) -> int:
    n, _, *size = x
    return 2 * n * prod((s + 2 * padding - weight[-1]) // STRIDE + 1 for s in size) * prod(weight)


def _detail(x, weight, bias, padding) -> str:
    kernel = weight[-1]
    padded = f", padding {padding}" if padding else ""
    return f"{kernel}x{kernel}, stride 2{padded}, {weight[1]} -> {weight[0]}"


def _examples(draw: Draw) -> list[tuple]:
    x = draw(2, 20, 19, 37)
    return [(x, draw(26, 20, kernel, kernel), draw(26), padding) for kernel, padding in SIZES]


STRIDED_CONV = define(
    "strided_conv(Tensor x, Tensor weight, Tensor? bias, int padding) -> Tensor",
    check=_check_args,
    reference=reference,
    flops=_flops,
    activations=("x",),
    reach=lambda *_: None,  # the grid becomes coarser
    detail=_detail,
    examples=_examples,
)


def strided_conv(
    x: Tensor,  # [N, Ci, H, W]
    weight: Tensor,  # [Co, Ci, k, k]
    bias: Tensor | None = None,  # [Co]
    *,
    padding: int = 0,
) -> Tensor:  # [N, Co, (H + 2 padding - k) // 2 + 1, (W + 2 padding - k) // 2 + 1]
    """A convolution with stride 2, of a picture with so many zeros around it.

    ``sum_cij weight[o, c, i, j] * x[c, 2 y + i - padding, 2 x + j - padding] + bias[o]``. Enhanced
    spatial attention begins its pooled branch with 3x3 without padding ("Residual Feature
    Aggregation Network", CVPR 2020), in RFDN (https://arxiv.org/abs/2009.11551) with three
    convolutions behind the pooling; U-nets go down a level with 2x2, or with 3x3 and 4x4 and a
    padding of 1.

    Args:
        x: float32, float16, bfloat16 or float64; contiguous, channels_last or strided.
        weight, bias: of the dtype and on the device of ``x``. k is 2, 3 or 4.
        padding: 0 for k = 2, 0 or 1 for 3, 1 for 4.

    Returns:
        A fresh tensor of the dtype and memory format of ``x``.

    Raises:
        TypeError: an argument is no tensor, or dtypes differ or are not floating.
        ValueError: another kernel or padding, ``x`` has no room for the kernel, shapes do not fit,
            or devices differ.
    """
    _check.tensors(x=x, weight=weight)
    _check.optional_tensors(bias=bias)
    return STRIDED_CONV(x, weight, bias, padding)
