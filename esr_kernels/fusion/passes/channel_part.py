"""Splits and slices of channels: ``channel_part``."""

from __future__ import annotations

import operator
from typing import Any

from torch.fx import Graph, Node

from ...ops import CHANNEL_PART
from ..graph import in_order, replace_with, shape, sweep

_ALL = slice(None, None, None)


def fuse_channel_part(graph: Graph) -> None:
    """Elements of ``chunk`` and ``split`` along the channels, and ``x[:, a:b]``; all channels are
    the tensor itself."""
    for node in in_order(graph, operator.getitem):
        found = _of_split(node) or _of_slice(node)
        size = shape(found[0]) if found else None
        if size is None or len(size) != 4:
            continue
        if found[2] == size[1]:
            node.replace_all_uses_with(found[0])
        elif found[2] > 0:
            replace_with(node, CHANNEL_PART, found)
    sweep(graph)


def _of_split(node: Node) -> tuple | None:
    """The parts of a split have the channels that they have for the test picture."""
    whole, index = node.args
    if not isinstance(whole, Node) or not isinstance(index, int) or index < 0:
        return None
    name = getattr(whole.target, "__name__", whole.target)
    if name not in ("chunk", "split") or not _along_channels(whole):
        return None
    x = whole.args[0]
    before = _channels_before(whole, index, shape(x))
    return None if before is None or shape(node) is None else (x, before, shape(node)[1])


def _along_channels(whole: Node) -> bool:
    dim = whole.args[2] if len(whole.args) > 2 else whole.kwargs.get("dim", 0)
    return len(whole.args) > 1 and dim in (1, -3)


def _channels_before(whole: Node, index: int, size: Any) -> int | None:
    parts = whole.args[1]
    if isinstance(parts, tuple | list):
        fixed = all(isinstance(p, int) for p in parts)
        return sum(parts[:index]) if fixed else None
    if not isinstance(parts, int) or size is None:
        return None
    name = getattr(whole.target, "__name__", whole.target)
    return index * (-(-size[1] // parts) if name == "chunk" else parts)


def _of_slice(node: Node) -> tuple | None:
    x, where = node.args
    size = shape(x)
    if size is None or not isinstance(where, tuple) or len(where) < 2:
        return None
    batch, channels, *rest = where
    if batch != _ALL or not isinstance(channels, slice) or any(r not in (_ALL, ...) for r in rest):
        return None
    if not all(v is None or isinstance(v, int) for v in (channels.start, channels.stop)):
        return None
    first, last, step = channels.indices(size[1])
    return (x, first, last - first) if step == 1 and last > first else None
