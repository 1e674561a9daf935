"""``channel_norm``: layer norm over the channels of each pixel.

In torch it is a chain of passes over memory, or a transposition, one kernel and another
transposition. As a step of a program it reads rows that are in cache.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..op import Draw
from . import _check
from ._define import define


def reference(x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    """The op in plain torch; see :func:`channel_norm`."""
    y = F.layer_norm(x.movedim(1, -1), x.shape[1:2], weight, bias, eps)
    return y.movedim(-1, 1)


def _check_args(x, weight, bias, eps) -> None:
    _check.image("x", x)
    _check.alike(x, "x", weight=weight, bias=bias)
    for name, given in (("weight", weight), ("bias", bias)):
        if given is not None:
            _check.shape(name, given, (x.shape[1],), "a number per channel")
    if not eps >= 0:
        raise ValueError(f"eps is {eps}, expected 0 or more")


def _detail(x, weight, bias, eps) -> str:
    return f"{x[1]} channels, eps {eps:g}"


def _fake(x, weight, bias, eps) -> Tensor:
    return torch.empty_like(x)


def _examples(draw: Draw) -> list[tuple]:
    return [(draw(2, 20, 19, 37), draw(20), draw(20), 1e-6)]


CHANNEL_NORM = define(
    "channel_norm(Tensor x, Tensor? weight, Tensor? bias, float eps) -> Tensor",
    check=_check_args,
    reference=reference,
    fake=_fake,
    flops=lambda *_: 0,  # as torch counts: convolutions and matrix products
    activations=("x",),
    reach=lambda *_: (0, 1),
    detail=_detail,
    examples=_examples,
)


def channel_norm(
    x: Tensor,  # [N, C, H, W]
    weight: Tensor | None = None,  # [C]
    bias: Tensor | None = None,  # [C]
    *,
    eps: float = 1e-6,
) -> Tensor:  # [N, C, H, W]
    """``weight * (x - mean) / sqrt(variance + eps) + bias`` over the channels of each pixel.

    The variance is that of the population, the mean of the squared deviations. From "Layer
    Normalization" (https://arxiv.org/abs/1607.06450), with a pixel's channels as the layer; in
    super-resolution from SwinIR (https://arxiv.org/abs/2108.10257) on, and in the large-kernel and
    modulation networks of the NTIRE 2024 report (https://arxiv.org/abs/2404.10343).

    Args:
        x: float32, float16, bfloat16 or float64; contiguous, channels_last or strided.
        weight, bias: of the dtype and on the device of ``x``; 1 and 0 without.
        eps: 0 or more.

    Returns:
        A fresh tensor of the dtype and memory format of ``x``.

    Raises:
        TypeError: an argument is no tensor, or dtypes differ or are not floating.
        ValueError: shapes do not fit, an empty tensor, ``eps`` below 0, or devices differ.
    """
    _check.tensors(x=x)
    _check.optional_tensors(weight=weight, bias=bias)
    return CHANNEL_NORM(x, weight, bias, float(eps))
