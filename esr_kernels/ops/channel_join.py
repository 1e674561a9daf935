"""``channel_join``: the channels of several tensors as one, where no convolution reads them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..op import Draw
from . import _check
from ._define import define


def reference(inputs: Sequence[Tensor]) -> Tensor:
    """The op in plain torch; see :func:`channel_join`."""
    return torch.cat(list(inputs), 1)


def _check_args(inputs) -> None:
    if not inputs:
        raise ValueError("the list of inputs is empty; give one tensor or more")
    first = inputs[0]
    _check.image("x[0]", first)
    n, _, h, w = first.shape
    for i, x in enumerate(inputs[1:], 1):
        name = f"x[{i}]"
        _check.image(name, x)
        _check.alike(first, "x[0]", **{name: x})
        _check.shape(name, x, (n, x.shape[1], h, w), "N, H and W of x[0]")


def _examples(draw: Draw) -> list[tuple]:
    return [([draw(2, c, 19, 37) for c in (20, 3, 5)],)]


CHANNEL_JOIN = define(
    "channel_join(Tensor[] inputs) -> Tensor",
    check=_check_args,
    reference=reference,
    flops=lambda *_: 0,
    activations=("inputs",),
    reach=lambda *_: (0, 1),
    detail=lambda inputs: " + ".join(str(x[1]) for x in inputs) + " channels",
    examples=_examples,
)


def channel_join(
    x: Sequence[Tensor],  # each [N, any, H, W]
) -> Tensor:  # [N, their sum, H, W]
    """``torch.cat(x, 1)``.

    A convolution takes a list itself and needs no such tensor: see ``conv_act``.

    Args:
        x: float32, float16, bfloat16 or float64; contiguous, channels_last or strided.

    Returns:
        A fresh tensor of the dtype and memory format of the first.

    Raises:
        TypeError: an argument is no tensor, or dtypes differ or are not floating.
        ValueError: shapes do not fit, an empty tensor or list, or devices differ.
    """
    if not isinstance(x, (list, tuple)):
        raise TypeError(f"x must be a list of tensors, not {type(x).__name__}")
    for each in x:
        _check.tensors(x=each)
    return CHANNEL_JOIN(x)
