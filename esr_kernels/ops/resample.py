"""``resample``: nearest or bilinear interpolation, to the size of another tensor or by a factor."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from ..op import Draw
from . import _check
from ._define import define

MODES = ("nearest", "bilinear")


def reference(x: Tensor, like: Tensor | None, factor: int, mode: str) -> Tensor:
    """The op in plain torch; see :func:`resample`."""
    size = (factor * x.shape[2], factor * x.shape[3]) if like is None else like.shape[2:]
    if mode == "nearest":
        return F.interpolate(x, size=size, mode=mode)
    return F.interpolate(x, size=size, mode=mode, align_corners=False)


def _check_args(x, like, factor, mode) -> None:
    _check.image("x", x)
    _check.alike(x, "x")
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}, expected one of: {', '.join(MODES)}")
    if like is not None:
        _check.image("like", like)
        _check.alike(x, "x", like=like)
        if like.shape[0] != x.shape[0]:
            raise ValueError(f"like has {like.shape[0]} pictures, but x has {x.shape[0]}")
    elif factor < 1:
        raise ValueError(f"factor is {factor}, expected 1 or more")


def _reach(x, like, factor, mode) -> tuple[int, int] | None:
    return (0, factor) if like is None and mode == "nearest" else None


def _detail(x, like, factor, mode) -> str:
    to = f"x{factor}" if like is None else "to the size of another"
    return f"{x[1]} channels, {mode}, {to}"


def _examples(draw: Draw) -> list[tuple]:
    x, like = draw(2, 20, 7, 13), draw(2, 3, 19, 37)
    return [(x, like, 1, "nearest"), (x, None, 3, "nearest"), (x, like, 1, "bilinear")]


RESAMPLE = define(
    "resample(Tensor x, Tensor? like, int factor, str mode) -> Tensor",
    check=_check_args,
    reference=reference,
    flops=lambda *_: 0,  # as torch counts: convolutions and matrix products
    activations=("x", "like"),
    reach=_reach,
    detail=_detail,
    examples=_examples,
)


def resample(
    x: Tensor,  # [N, C, H, W]
    like: Tensor | None = None,  # [N, any, h, w]
    *,
    factor: int = 1,
    mode: str = "nearest",
) -> Tensor:  # [N, C, h, w], or factor * H and factor * W without like
    """``x`` interpolated to the height and width of ``like``, or to ``factor`` times its own.

    ``nearest`` takes the pixel ``floor(y * H / h)``, ``bilinear`` the mean of the four around
    ``(y + 1/2) * H / h - 1/2``, weighted by their distance; those are torch's ``interpolate`` with
    ``align_corners=False``.

    Args:
        x: float32, float16, bfloat16 or float64; contiguous, channels_last or strided.
        like: of the dtype and on the device of ``x``. Only its size is read.
        factor: 1 or more, for want of ``like``.
        mode: ``nearest`` or ``bilinear``.

    Returns:
        A fresh tensor of the dtype and memory format of ``x``.

    Raises:
        TypeError: an argument is no tensor, or dtypes differ or are not floating.
        ValueError: shapes do not fit, an empty tensor, a factor below 1, an unknown mode, or
            devices differ.
    """
    _check.tensors(x=x)
    _check.optional_tensors(like=like)
    return RESAMPLE(x, like, factor, mode)
