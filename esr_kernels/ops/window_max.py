"""``window_max``: max pooling, with windows of one size or with a number of windows."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from ..op import Draw
from . import _check
from ._define import define


def reference(x: Tensor, kernel: int, stride: int, padding: int) -> Tensor:
    """The op in plain torch; see :func:`window_max`."""
    if kernel == 0:
        return F.adaptive_max_pool2d(x, (x.shape[2] // stride, x.shape[3] // stride))
    return F.max_pool2d(x, kernel, stride, padding)


def _check_args(x, kernel, stride, padding) -> None:
    _check.image("x", x)
    _check.alike(x, "x")
    if kernel < 0 or stride < 1:
        raise ValueError(f"kernel is {kernel} and stride {stride}, expected 0 and 1 or more")
    if not 0 <= 2 * padding <= kernel:
        raise ValueError(f"padding is {padding}, expected 0 to half of the kernel, {kernel // 2}")
    _check.room(x, max(1, kernel - 2 * padding) if kernel else stride, "its windows need")


def _detail(x, kernel, stride, padding) -> str:
    if kernel == 0:
        return f"{x[1]} channels, 1/{stride} of the size"
    padded = f", padding {padding}" if padding else ""
    return f"{x[1]} channels, {kernel}x{kernel}, stride {stride}{padded}"


def _examples(draw: Draw) -> list[tuple]:
    return [(draw(2, 20, 19, 37), *how) for how in ((7, 3, 0), (5, 3, 1), (0, 4, 0))]


WINDOW_MAX = define(
    "window_max(Tensor x, int kernel, int stride, int padding) -> Tensor",
    check=_check_args,
    reference=reference,
    flops=lambda *_: 0,  # as torch counts: convolutions and matrix products
    activations=("x",),
    reach=lambda *_: None,  # the grid changes
    detail=_detail,
    examples=_examples,
)


def window_max(
    x: Tensor,  # [N, C, H, W]
    kernel: int,
    stride: int,
    *,
    padding: int = 0,
) -> Tensor:  # [N, C, h, w]
    """The largest of the pixels of each window, for each channel.

    With a ``kernel`` of 1 or more, windows have kernel x kernel pixels and are ``stride`` apart,
    ``h = (H + 2 padding - kernel) // stride + 1`` of them below each other, from ``padding`` pixels
    outside on, where there are none: torch's ``max_pool2d``. With a kernel of 0 there are
    ``h = H // stride`` windows, which cover all pixels and overlap where H does not divide: torch's
    ``adaptive_max_pool2d`` to that size, as in the modulation of SAFMN
    (https://arxiv.org/abs/2302.13800). A NaN is the largest.

    Args:
        x: float32, float16, bfloat16 or float64; contiguous, channels_last or strided.
        kernel: 0 or more.
        stride: 1 or more.
        padding: 0 to half of the kernel.

    Returns:
        A fresh tensor of the dtype and memory format of ``x``.

    Raises:
        TypeError: an argument is no tensor, or its dtype is not floating.
        ValueError: ``x`` is not ``[N, C, H, W]``, empty, or has no room for one window; a negative
            kernel; a stride below 1; a padding that is negative or too large.
    """
    _check.tensors(x=x)
    return WINDOW_MAX(x, kernel, stride, padding)
