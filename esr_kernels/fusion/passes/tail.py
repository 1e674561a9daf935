"""Fuse the last convolution, pixel shuffle and enlarged picture: ``conv3x3_pixel_shuffle``."""

from __future__ import annotations

import operator

import torch
import torch.nn.functional as F
from torch.fx import Graph, Node

from ...ops import CONV3X3_PIXEL_SHUFFLE
from ..graph import bare_conv, calls, in_order, only_use, replace_with, shape, sweep


def fuse_tail(graph: Graph) -> None:
    """Match ``pixel_shuffle(conv3x3(x))`` and an added ``interpolate(skip, mode="nearest")``."""
    for node in in_order(graph, torch.pixel_shuffle):
        before, factor = node.args
        conv = bare_conv(before, 3)
        if conv is None or not only_use(before) or not isinstance(factor, int):
            continue
        args = (conv.inputs[0], conv.weight, conv.bias, factor)
        total, skip = _with_skip(node, factor)
        replace_with(total, CONV3X3_PIXEL_SHUFFLE, (*args, skip), before, node)
    sweep(graph)


def _with_skip(shuffled: Node, factor: int) -> tuple[Node, Node | None]:
    """The sum with an enlarged picture and that picture, or the node itself and None."""
    total = next(iter(shuffled.users)) if only_use(shuffled) else None
    if not calls(total, operator.add):
        return shuffled, None
    large = total.args[1] if total.args[0] is shuffled else total.args[0]
    if not calls(large, F.interpolate) or large is shuffled:
        return shuffled, None
    small, size, scale, mode, _ = large.args
    scales = scale if isinstance(scale, tuple | list) else (scale, scale)
    exact = mode == "nearest" and size is None and all(s == factor for s in scales)
    if not exact or shape(large) != shape(shuffled) or shape(small) is None:
        return shuffled, None
    return total, small
