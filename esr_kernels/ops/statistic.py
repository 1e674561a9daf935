"""``statistic``: one number per channel that all its pixels make, for channel attention."""

from __future__ import annotations

from torch import Tensor

from ..op import Draw
from . import _check
from ._define import define

MEASURES = ("mean", "var", "std")


def reference(x: Tensor, measure: str, correction: int) -> Tensor:
    """The op in plain torch; see :func:`statistic`."""
    if measure == "mean":
        return x.mean((2, 3), keepdim=True)
    function = x.var if measure == "var" else x.std
    return function((2, 3), correction=correction, keepdim=True)


def _check_args(x, measure, correction) -> None:
    _check.image("x", x)
    _check.alike(x, "x")
    if measure not in MEASURES:
        raise ValueError(f"measure is {measure!r}, expected one of: {', '.join(MEASURES)}")
    if correction not in (0, 1):
        raise ValueError(f"correction is {correction}, expected 0 or 1")


def _examples(draw: Draw) -> list[tuple]:
    x = draw(2, 20, 19, 37)
    return [(x, "mean", 0), (x, "var", 1), (x, "std", 0)]


STATISTIC = define(
    "statistic(Tensor x, str measure, int correction) -> Tensor",
    check=_check_args,
    reference=reference,
    flops=lambda *_: 0,  # as torch counts: convolutions and matrix products
    activations=("x",),
    reach=lambda *_: None,  # the whole picture
    detail=lambda x, measure, correction: f"{measure} of {x[1]} channels",
    examples=_examples,
)


def statistic(
    x: Tensor,  # [N, C, H, W]
    measure: str = "mean",
    *,
    correction: int = 0,
) -> Tensor:  # [N, C, 1, 1]
    """Mean, variance or standard deviation of each channel over the picture.

    With ``m`` the mean of a channel's ``n = H * W`` pixels, ``var`` is
    ``sum((x - m)^2) / (n - correction)`` and ``std`` its root.

    Args:
        x: float32, float16, bfloat16 or float64; contiguous, channels_last or strided.
        measure: ``mean``, ``var`` or ``std``.
        correction: 0, or 1 for the estimate without bias.

    Returns:
        A fresh tensor of the dtype of ``x``.

    Raises:
        TypeError: an argument is no tensor, or its dtype is not floating.
        ValueError: ``x`` is not ``[N, C, H, W]``, or empty; an unknown measure; another correction.
    """
    _check.tensors(x=x)
    return STATISTIC(x, measure, correction)
