"""Epilogue of convolutions, shared by every op that has one: activation, then residual."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from . import _check

ACTIVATIONS = ("none", "relu", "lrelu", "silu", "gelu", "span_gate")


def epilogue(y: Tensor, act: str, slope: float, residual: Tensor | None) -> Tensor:
    """``act(y) + residual`` in plain torch; the activations are ``ACTIVATIONS``.

    ``y`` is nobody else's: it may be written over, which saves memory and time.
    """
    if act == "span_gate" and residual is not None:
        return (y + residual) * (y.sigmoid() - 0.5)
    if act == "relu":
        y = F.relu(y, inplace=True)
    elif act == "lrelu":
        y = F.leaky_relu(y, slope, inplace=slope >= 0)  # else its gradient needs y
    elif act == "silu":
        y = F.silu(y, inplace=True)
    elif act == "gelu":
        y = F.gelu(y)
    return y if residual is None else y.add_(residual)


def check(act: str, residual: Tensor | None, shape: tuple[int, ...]) -> None:
    """Raise ValueError for an unknown activation, or a residual that is not of the result's
    ``shape``."""
    if act not in ACTIVATIONS:
        raise ValueError(f"act is {act!r}, expected one of: {', '.join(ACTIVATIONS)}")
    if residual is not None:
        _check.shape("residual", residual, shape, "the shape of the result")
    elif act == "span_gate":
        raise ValueError('act="span_gate" needs residual, the input of the block')


def detail(act: str, slope: float, residual: tuple[int, ...] | None) -> str:
    """The epilogue in words for ``explain``, with a comma before each; empty if there is none."""
    name = {"none": "", "lrelu": f", lrelu({slope:g})", "span_gate": ", SPAB's attention"}
    added = ", + residual" if residual is not None and act != "span_gate" else ""
    return name.get(act, f", {act}") + added


def check_types(act: object, slope: object) -> None:
    """Raise TypeError unless ``act`` is a string and ``slope`` a number."""
    if not isinstance(act, str) or not isinstance(slope, (int, float)):
        raise TypeError("act must be a string and slope a number")
