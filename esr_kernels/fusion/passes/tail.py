"""Fuse the last convolution, pixel shuffle and enlarged picture: ``conv3x3_pixel_shuffle``."""

from __future__ import annotations

import operator

import torch
import torch.nn.functional as F
from torch.fx import Graph, Node

from ...ops import CONV3X3_PIXEL_SHUFFLE
from ..graph import bare_conv, calls, in_order, only_use, replace_with, shape, sweep

_REPEATING = (torch.repeat_interleave, "repeat_interleave")


def fuse_tail(graph: Graph) -> None:
    """Match ``pixel_shuffle(conv3x3(x))`` and an added ``interpolate(skip, mode="nearest")``, or
    ``repeat_interleave(skip)`` that is added before."""
    for node in in_order(graph, torch.pixel_shuffle):
        before, factor = node.args
        if not isinstance(factor, int) or not only_use(before):
            continue
        total, skip = node, None
        conv = bare_conv(before, 3)
        if conv is None:
            before, skip = _with_repeated(before, factor)
            conv = bare_conv(before, 3) if before and only_use(before) else None
        else:
            total, skip = _with_skip(node, factor)
        if conv is not None:
            args = (conv.inputs[0], conv.weight, conv.bias, factor, skip)
            replace_with(total, CONV3X3_PIXEL_SHUFFLE, args, before, node)
    sweep(graph)


def _with_repeated(total: Node, factor: int) -> tuple[Node | None, Node | None]:
    """Finds what is added to a picture whose channels are repeated for each of the pixels they
    become, and that picture."""
    for before, repeated in (total.args, total.args[::-1]) if calls(total, operator.add) else ():
        if isinstance(repeated, Node) and repeated.target in _REPEATING:
            small, *given = repeated.args
            how = dict(zip(("repeats", "dim"), given, strict=False)) | repeated.kwargs
            known = how in ({"repeats": factor**2, "dim": dim} for dim in (1, -3))
            if known and shape(before) == shape(repeated) and len(shape(small) or ()) == 4:
                return before, small
    return None, None


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
