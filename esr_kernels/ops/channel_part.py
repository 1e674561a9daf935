"""``channel_part``: neighbouring channels of a tensor, as splits and slices take them."""

from __future__ import annotations

from torch import Tensor

from . import _check
from ._define import define


def reference(x: Tensor, first: int, count: int) -> Tensor:
    """The op in plain torch; see :func:`channel_part`."""
    return x[:, first : first + count].clone()


def _check_args(x, first, count) -> None:
    _check.image("x", x)
    _check.alike(x, "x")
    if first < 0 or count < 1 or first + count > x.shape[1]:
        raise ValueError(
            f"x has {x.shape[1]} channels, but {count} from number {first} on are asked for"
        )


CHANNEL_PART = define(
    "channel_part(Tensor x, int first, int count) -> Tensor",
    check=_check_args,
    reference=reference,
    flops=lambda *_: 0,
    activations=("x",),
    reach=lambda *_: (0, 1),
    detail=lambda x, first, count: f"{first} to {first + count - 1} of {x[1]} channels",
    examples=lambda draw: [(draw(2, 20, 19, 37), 3, 11)],
)


def channel_part(
    x: Tensor,  # [N, C, H, W]
    first: int,
    count: int,
) -> Tensor:  # [N, count, H, W]
    """``x[:, first : first + count]`` as a tensor of its own.

    Args:
        x: float32, float16, bfloat16 or float64; contiguous, channels_last or strided.
        first, count: channels of ``x``.

    Returns:
        A fresh tensor of the dtype and memory format of ``x``.

    Raises:
        TypeError: an argument is no tensor, or its dtype is not floating.
        ValueError: ``x`` is not ``[N, C, H, W]``, empty, or has not these channels.
    """
    _check.tensors(x=x)
    return CHANNEL_PART(x, first, count)
