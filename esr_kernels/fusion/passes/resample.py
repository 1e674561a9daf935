"""Interpolation to the size of another tensor, or to a multiple: ``resample``."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch.fx import Graph

from ...ops import RESAMPLE
from ..graph import in_order, replace_with, shape, sweep
from ..sizes import owner


def fuse_resample(graph: Graph) -> None:
    """``interpolate``, nearest, or bilinear without ``align_corners``."""
    for node in in_order(graph, F.interpolate):
        x, size, factor, mode, align_corners = node.args
        if mode not in ("nearest", "bilinear") or align_corners or len(shape(x) or ()) != 4:
            continue
        like = owner(size)
        whole = _whole_number(factor)
        if size is None and whole:
            replace_with(node, RESAMPLE, (x, None, whole, mode))
        elif factor is None and like is not None and len(shape(like) or ()) == 4:
            replace_with(node, RESAMPLE, (x, like, 1, mode))
    sweep(graph)


def _whole_number(factor: Any) -> int | None:
    """The one whole number that the factor is, for both sides."""
    both = set(factor) if isinstance(factor, tuple | list) else {factor}
    one = both.pop() if len(both) == 1 else None
    return int(one) if isinstance(one, int | float) and one == int(one) >= 1 else None
