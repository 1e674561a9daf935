"""``window_variance``: how much the pixels of each window differ."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from ..op import Draw
from . import _check
from ._define import define


def reference(x: Tensor, kernel: int, stride: int, padding: int) -> Tensor:
    """The op in plain torch; see :func:`window_variance`."""
    mirrored = F.pad(x, (padding,) * 4, mode="reflect")
    return mirrored.unfold(2, kernel, stride).unfold(3, kernel, stride).var((4, 5))


def _check_args(x, kernel, stride, padding) -> None:
    _check.image("x", x)
    _check.alike(x, "x")
    if kernel < 2 or stride < 1 or padding < 0:
        raise ValueError(
            f"kernel is {kernel}, stride {stride} and padding {padding}, expected 2, 1 and 0 or "
            "more"
        )
    if 3 * padding >= kernel:
        raise ValueError(f"padding is {padding}, expected less than a third of the kernel {kernel}")
    _check.room(x, kernel - 2 * padding, "its windows need")


def _detail(x, kernel, stride, padding) -> str:
    padded = f", {padding} mirrored at the edges" if padding else ""
    return f"{x[1]} channels, {kernel}x{kernel}, stride {stride}{padded}"


def _examples(draw: Draw) -> list[tuple]:
    return [(draw(2, 20, 19, 37), 5, 3, 1)]


WINDOW_VARIANCE = define(
    "window_variance(Tensor x, int kernel, int stride, int padding) -> Tensor",
    check=_check_args,
    reference=reference,
    flops=lambda *_: 0,  # as torch counts: convolutions and matrix products
    activations=("x",),
    reach=lambda *_: None,  # the grid changes
    detail=_detail,
    examples=_examples,
)


def window_variance(
    x: Tensor,  # [N, C, H, W]
    kernel: int,
    stride: int,
    *,
    padding: int = 0,
) -> Tensor:  # [N, C, h, w]
    """The variance of the pixels of each window, for each channel.

    ``sum((x - mean)^2) / (kernel^2 - 1)`` over windows of kernel x kernel pixels, ``stride`` apart,
    ``h = (H + 2 padding - kernel) // stride + 1`` of them below each other, of the picture with
    ``padding`` pixels mirrored at its edges. Part of the spatial attentions of teams 28, 31 and 41
    of the NTIRE 2024 report (https://arxiv.org/abs/2404.10343), sections 4.4 and 4.5.

    Args:
        x: float32, float16, bfloat16 or float64; contiguous, channels_last or strided.
        kernel: 2 or more.
        stride: 1 or more.
        padding: 0 or more, less than a third of the kernel.

    Returns:
        A fresh tensor of the dtype and memory format of ``x``.

    Raises:
        TypeError: an argument is no tensor, or its dtype is not floating.
        ValueError: ``x`` is not ``[N, C, H, W]``, empty, or has no room for one window; a kernel
            below 2, a stride below 1, a padding out of its range.
    """
    _check.tensors(x=x)
    return WINDOW_VARIANCE(x, kernel, stride, padding)
