"""Places of a picture's axes in a tensor that holds the same numbers in another shape.

A picture ``[N, C, H, W]`` has the axes 0 to 3. Each side of a tensor that was made of it by moving,
merging and splitting axes is a tuple of them: tokens ``[N, H*W, C]`` are ``((0,), (2, 3), (1,))``.
The axes 2 and 3 of what is one pixel in every picture are left out, so that ``[N, C]`` is
``((0,), (1,))``, and a side of length 1 is ``()``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch.fx import Graph, Node

from .graph import shape

Sides = tuple[tuple[int, ...], ...]
WHOLE: Sides = ((0,), (1,), (2,), (3,))
PIXEL: Sides = ((0,), (1,), (), ())
CHANNELS = (1,)


@dataclass(frozen=True)
class Layout:
    """``picture``: the node whose numbers they are. ``whole``: the sides of the picture itself."""

    picture: Node
    sides: Sides
    whole: Sides = WHOLE

    @property
    def is_picture(self) -> bool:
        return self.sides == self.whole


def rearranged(node: Node, sides: Sides, read: Callable[[Any], Any], channels: int) -> Sides | None:
    """The sides of the node's result, which has the numbers of its first argument; None for
    anything that does more than move them, or of which that is not sure.

    ``read``: of a length that the node gives, the axes whose product it is, or a number, or None.
    ``channels``: how many the picture has.
    """
    if node.op not in ("call_method", "call_function") or not node.args:
        return None
    name = node.target if node.op == "call_method" else getattr(node.target, "__name__", "")
    of_torch = node.op == "call_method" or getattr(torch, name, None) is node.target
    _, *rest = node.args
    try:
        if node.target is operator.getitem:
            return _index(sides, *rest)
        if node.target is getattr:
            return _transpose(sides, -1, -2) if rest == ["mT"] else None
        if of_torch and name in ("view", "reshape", "unflatten"):
            lengths = _lengths(name, sides, *rest, **node.kwargs)
            return _split(sides, [*map(read, lengths)], channels)
        known = _MOVES.get(name) if of_torch else None
        return known(sides, *rest, **node.kwargs) if known else None
    except (TypeError, IndexError):  # arguments in a form that is not known here
        return None


def _permute(sides: Sides, *dims) -> Sides | None:
    dims = tuple(dims[0]) if len(dims) == 1 else dims
    return tuple(sides[d] for d in dims) if len(dims) == len(sides) else None


def _transpose(sides: Sides, dim0: int, dim1: int) -> Sides:
    turned = list(sides)
    turned[dim0], turned[dim1] = sides[dim1], sides[dim0]
    return tuple(turned)


def _movedim(sides: Sides, source: int, destination: int) -> Sides:
    moved = list(sides)
    side = moved.pop(source)
    moved.insert(destination % len(sides), side)
    return tuple(moved)


def _flatten(sides: Sides, start_dim: int = 0, end_dim: int = -1) -> Sides:
    start, end = start_dim % len(sides), end_dim % len(sides)
    return (*sides[:start], sum(sides[start : end + 1], ()), *sides[end + 1 :])


def _squeeze(sides: Sides, dim: int) -> Sides | None:
    kept = list(sides)
    return tuple(kept) if kept.pop(dim) == () else None


def _unsqueeze(sides: Sides, dim: int) -> Sides:
    place = dim % (len(sides) + 1)
    return (*sides[:place], (), *sides[place:])


def _contiguous(sides: Sides) -> Sides:
    return sides


def _index(sides: Sides, index: Any) -> Sides | None:
    """``x[:, :, None, None]``, and ``x[:, :, 0, 0]`` where there is nothing else."""
    index = index if isinstance(index, tuple) else (index,)
    given = sum(i is not None and i is not ... for i in index)
    rest, made = list(sides), []
    for i in index:
        if i is None:
            made.append(())
        elif i is ...:
            made += [rest.pop(0) for _ in range(len(sides) - given)]
        elif isinstance(i, slice) and i == slice(None):
            made.append(rest.pop(0))
        elif isinstance(i, bool) or i not in (0, -1) or rest.pop(0) != ():
            return None
    return (*made, *rest)


_MOVES: dict[str, Callable] = {
    **dict.fromkeys(("transpose", "swapaxes", "swapdims"), _transpose),
    **dict.fromkeys(("movedim", "moveaxis"), _movedim),
    **dict.fromkeys(("contiguous", "clone"), _contiguous),
    "permute": _permute,
    "flatten": _flatten,
    "squeeze": _squeeze,
    "unsqueeze": _unsqueeze,
}


def _lengths(name: str, sides: Sides, *rest, **more) -> list:
    """All lengths of the result; of sides that stay, the axes themselves."""
    if name == "unflatten":
        dim, lengths = (*rest, *more.values())
        dim %= len(sides)
        return [*sides[:dim], *lengths, *sides[dim + 1 :]]
    lengths = rest[0] if len(rest) == 1 and isinstance(rest[0], list | tuple) else rest
    return [*lengths, *more.values()]


def _split(sides: Sides, lengths: list, channels: int) -> Sides | None:
    """The axes in their order, dealt out to lengths that are theirs."""
    axes = [axis for side in sides for axis in side]
    if -1 in lengths:
        place = lengths.index(-1)
        front = _deal(axes, lengths[:place], channels, False)
        if front is None:
            return None
        axes = axes[sum(map(len, front)) :]
        back = _deal(axes[::-1], lengths[:place:-1], channels, False)
        if back is None:
            return None
        middle = tuple(axes[: len(axes) - sum(map(len, back))])
        return (*front, middle, *back[::-1])
    made = _deal(axes, lengths, channels, True)
    return tuple(made) if made is not None and sum(map(len, made)) == len(axes) else None


def _deal(axes: Sequence[int], lengths: list, channels: int, all_of: bool) -> list | None:
    """The next axes for each length. ``all_of``: whether no axis is left over, so that the batch
    has the length that the others leave, whatever is written there."""
    made, rest = [], list(axes)
    for length in lengths:
        if isinstance(length, tuple):
            side = tuple(sorted(rest[: len(length)]))
            if side != tuple(sorted(length)):
                return None
        elif length == 1:
            side = ()
        elif rest[:1] == [1] and length == channels:
            side = CHANNELS
        elif rest[:1] == [0] and all_of:
            side = (0,)
        else:
            return None
        del rest[: len(side)]
        made.append(side)
    return made


def _sized(graph: Graph, target: str, source: Node, size: tuple[int, ...], *args) -> Node:
    node = graph.call_method(target, (source, *args))
    node.meta.update(path=source.meta.get("path", ""), shape=size)
    return node


def arranged(layout: Layout) -> Node:
    """A new node with the picture's numbers laid out like this, at the graph's insertion point."""
    graph, node = layout.picture.graph, layout.picture
    size = shape(node) or ()
    order = tuple(axis for side in layout.sides for axis in side)
    if len(order) == 2:
        size = size[:2]
        node = _sized(graph, "flatten", node, size, 1)
    if order != tuple(range(len(order))):
        size = tuple(size[axis] for axis in order)
        node = _sized(graph, "permute", node, size, *order)
        node = _sized(graph, "contiguous", node, size)
    for place, side in enumerate(layout.sides):
        if not side:
            size = (*size[:place], 1, *size[place:])
            node = _sized(graph, "unsqueeze", node, size, place)
        elif len(side) > 1:
            end = place + len(side)
            size = (*size[:place], prod(size[place:end]), *size[end:])
            node = _sized(graph, "flatten", node, size, place, end - 1)
    return node


def entered(tensor: Node, like: Layout, origin: Node) -> Node | None:
    """``tensor``, which is laid out as ``like`` says, as a picture of that one's size; None where
    it would take more than splitting and moving axes. ``origin``: a node of that size."""
    graph, size = tensor.graph, shape(tensor) or ()
    order = tuple(axis for side in like.sides for axis in side)
    if sorted(order) != [0, 1, 2, 3] or () in like.sides:
        return None
    whole = shape(like.picture) or ()
    asked = graph.call_function(getattr, (origin, "shape"))
    lengths = [graph.call_function(operator.getitem, (asked, axis)) for axis in range(4)]
    node = tensor
    for place in reversed(range(len(like.sides))):
        side = like.sides[place]
        if len(side) > 1:
            size = (*size[:place], *(whole[axis] for axis in side), *size[place + 1 :])
            split = tuple(lengths[axis] for axis in side)
            node = _sized(graph, "unflatten", node, size, place, split)
    back = tuple(order.index(axis) for axis in range(4))
    if back != (0, 1, 2, 3):
        node = _sized(graph, "permute", node, whole, *back)
    # What is the same for all pictures of a batch may have been made once.
    return _sized(graph, "expand", node, whole, lengths[0], -1, -1, -1)
