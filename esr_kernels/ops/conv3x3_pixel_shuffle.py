"""``conv3x3_pixel_shuffle``: the tail of a super-resolution network, a convolution and a shuffle.

One op, so that the picture, the biggest tensor of the network, is written once.
"""

from __future__ import annotations

from math import prod

import torch.nn.functional as F
from torch import Tensor

from ..op import Draw
from . import _check
from ._define import define


def reference(
    x: Tensor, weight: Tensor, bias: Tensor | None, upscale_factor: int, skip: Tensor | None
) -> Tensor:
    """The op in plain torch; see :func:`conv3x3_pixel_shuffle`."""
    y = F.conv2d(x, weight, bias, padding=1)
    if skip is not None:
        # r * r equal planes become r x r equal pixels: nearest-neighbour upsampling.
        y = y + skip.repeat_interleave(upscale_factor**2, dim=1)
    return F.pixel_shuffle(y, upscale_factor)


def _check_args(x, weight, bias, upscale_factor, skip) -> None:
    _check.image("x", x)
    _check.alike(x, "x", weight=weight, bias=bias, skip=skip)
    n, channels, h, w = x.shape
    _check.conv("weight", weight, "bias", bias, channels, (3,))
    if upscale_factor < 1:
        raise ValueError(f"upscale_factor is {upscale_factor}, expected 1 or more")
    pixels = upscale_factor**2
    if weight.shape[0] % pixels:
        raise ValueError(
            f"weight has shape {list(weight.shape)}, but {weight.shape[0]} channels do not divide "
            f"into {upscale_factor}x{upscale_factor} pixels"
        )
    if skip is not None:
        expected = (n, weight.shape[0] // pixels, h, w)
        _check.shape("skip", skip, expected, "the picture before upscaling")


def _flops(x, weight, *_) -> int:
    n, _, h, w = x
    return 2 * n * h * w * prod(weight)


def _detail(x, weight, bias, upscale_factor, skip) -> str:
    added = " + enlarged picture" if skip is not None else ""
    return f"3x3, {weight[1]} -> {weight[0]}, x{upscale_factor}{added}"


def _reach(x, weight, bias, upscale_factor, skip) -> tuple[int, int]:
    return 1, upscale_factor


def _examples(draw: Draw) -> list[tuple]:
    x, skip = draw(2, 20, 19, 37), draw(2, 3, 19, 37)
    return [(x, draw(48, 20, 3, 3), draw(48), 4, skip)]


CONV3X3_PIXEL_SHUFFLE = define(
    "conv3x3_pixel_shuffle(Tensor x, Tensor weight, Tensor? bias, int upscale_factor, Tensor? skip)"
    " -> Tensor",
    check=_check_args,
    reference=reference,
    flops=_flops,
    activations=("x", "skip"),
    reach=_reach,
    detail=_detail,
    examples=_examples,
)


def conv3x3_pixel_shuffle(
    x: Tensor,  # [N, Ci, H, W]
    weight: Tensor,  # [Co * r * r, Ci, 3, 3]
    bias: Tensor | None = None,  # [Co * r * r]
    *,
    upscale_factor: int,
    skip: Tensor | None = None,  # [N, Co, H, W]
) -> Tensor:  # [N, Co, r * H, r * W]
    """``out[n, c, r y + i, r x + j] = conv(x)[n, c r r + i r + j, y, x] + skip[n, c, y, x]``.

    ``r = upscale_factor``; the convolution is 3x3 with zero padding 1. ``skip`` is the picture
    before upscaling, added as its nearest-neighbour enlargement. From "Real-Time Single Image and
    Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural Network" (CVPR 2016).

    Args:
        x: float32, float16, bfloat16 or float64; contiguous, channels_last or strided.
        weight, bias, skip: of the dtype and on the device of ``x``.
        upscale_factor: 1 or more.

    Returns:
        A fresh tensor of the dtype and memory format of ``x``. Its range is that of the network;
        nothing is clamped.

    Raises:
        TypeError: an argument is no tensor, ``upscale_factor`` no int, or dtypes differ or are not
            floating.
        ValueError: shapes do not fit, an empty tensor, or devices differ.
    """
    _check.tensors(x=x, weight=weight)
    _check.optional_tensors(bias=bias, skip=skip)
    if isinstance(upscale_factor, bool) or not isinstance(upscale_factor, int):
        raise TypeError(f"upscale_factor must be an int, not {type(upscale_factor).__name__}")
    return CONV3X3_PIXEL_SHUFFLE(x, weight, bias, upscale_factor, skip)
