"""Lengths that code asks of tensors, followed to the axes of pictures."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch.fx import Node

from ..op import called_op
from . import sizes
from .arithmetic import FORMULA_WORDS
from .graph import calls, shape
from .layouts import CHANNELS, PIXEL, WHOLE, Layout

_ONE_BATCH = (
    *(torch.conv2d, torch.pixel_shuffle, torch.max_pool2d, F.interpolate, F.pad),
    *(F.adaptive_avg_pool2d, F.layer_norm, F.linear, *FORMULA_WORDS),
)
#: A length: (origin, axis) of each axis that it is the product of; or a number.
Length = list[tuple[Node, int]] | int


class Lengths:
    """``layout``: of a node, where one is known. ``made``: the pictures that were put into the
    graph, with one that each has its size from."""

    def __init__(self, layout: Callable[[Any], Layout | None]):
        self._layout = layout
        self.made: dict[Node, Node] = {}

    def origin(self, picture: Node) -> Node:
        """The first node of which the picture has height and width."""
        while True:
            before = sizes.source(self.made.get(picture, picture))
            before = self._given_size(before) or before
            if before is picture:
                return picture
            picture = before

    def _given_size(self, node: Node) -> Node | None:
        """The node whose height and width were written where this one was shaped."""
        if node.target not in ("view", "reshape", torch.reshape) or len(shape(node) or ()) != 4:
            return None
        if len(node.args) == 2 and is_shape(node.args[1]):
            like = node.args[1].args[0]
            return like if len(shape(like) or ()) == 4 else None
        given = node.args[1] if len(node.args) == 2 else node.args[1:]
        if not isinstance(given, list | tuple) or len(given) != 4:
            return None
        rows, columns = map(self._read, given[2:])
        if not (isinstance(rows, list) and isinstance(columns, list)):
            return None
        (origin, _), *more = rows
        fits = not more and rows == [(origin, 2)] and columns == [(origin, 3)]
        return origin if fits else None

    def axes_of(self, length: Any, layout: Layout) -> tuple[int, ...] | int | None:
        """The axes of the layout's picture whose product the length is in every picture, or a
        number; None for any other."""
        if isinstance(length, int | tuple):
            return length
        found = self._read(length)
        if found is None or isinstance(found, int):
            return found
        origin = self.origin(layout.picture)
        batch = self._batch(layout.picture)
        for node, axis in found:
            if (self._batch(node) is not batch) if axis == 0 else (node is not origin):
                return None
        return tuple(axis for _, axis in found)

    def _read(self, length: Any) -> Length | None:
        if isinstance(length, int):
            return length
        if calls(length, operator.mul):
            return self._product(*map(self._read, length.args))
        asked = asked_of(length)
        if asked is None:
            return None
        tensor, dim = asked
        layout = self._layout(tensor)
        if layout is None or not -len(layout.sides) <= dim < len(layout.sides):
            return None
        side = layout.sides[dim]
        if side in (CHANNELS, ()):
            return (shape(tensor) or ())[dim]
        origin = self.origin(layout.picture)
        return [(layout.picture if axis == 0 else origin, axis) for axis in side]

    @staticmethod
    def _product(a: Length | None, b: Length | None) -> Length | None:
        if a is None or b is None:
            return None
        if isinstance(a, int) and isinstance(b, int):
            return a * b
        if 1 in (a, b):
            return b if a == 1 else a
        return [*a, *b] if isinstance(a, list) and isinstance(b, list) else None

    def _batch(self, node: Node) -> Node:
        """The first node that surely has the batch of this one."""
        while True:
            if (layout := self._layout(node)) is not None and layout.picture is not node:
                node = layout.picture
                continue
            known = called_op(node) or calls(node, *_ONE_BATCH) or is_pooled(node, keepdim=True)
            size = shape(node) or ()
            near = [n for n in node.all_input_nodes if (shape(n) or ())[:1] == size[:1]]
            near = [n for n in near if n.op != "get_attr"] if known and size else []
            if node in self.made:
                near = [self.made[node]]
            if not near:
                return node
            node = near[0]


def asked_of(length: Any) -> tuple[Node, int] | None:
    """The tensor and the side whose length the node is: ``x.size(2)``, ``x.shape[-2:][0]``."""
    if not isinstance(length, Node):
        return None
    if length.op == "call_method" and length.target == "size" and len(length.args) == 2:
        return (length.args[0], length.args[1]) if isinstance(length.args[1], int) else None
    if not calls(length, operator.getitem) or not isinstance(length.args[1], int):
        return None
    whole, dim = length.args
    start = 0
    if calls(whole, operator.getitem) and isinstance(whole.args[1], slice):
        part = whole.args[1]
        if part.step not in (None, 1) or part.stop is not None or dim < 0:
            return None
        if not isinstance(part.start, int | None):
            return None
        whole, start = whole.args[0], part.start or 0
    if not is_shape(whole):
        return None
    return whole.args[0], start + dim


def is_shape(node: Any) -> bool:
    """Return true for ``x.shape`` and ``x.size()``."""
    if not isinstance(node, Node):
        return False
    if node.op == "call_method":
        return node.target == "size" and len(node.args) == 1
    return node.target is getattr and node.args[1] == "shape"


def whole_of(node: Node) -> tuple:
    """The sides of a picture: those of one pixel in every picture, or of any."""
    return PIXEL if _one_pixel(node) else WHOLE


def _one_pixel(node: Node) -> bool:
    if (shape(node) or ())[2:] != (1, 1):
        return False
    if calls(node, F.adaptive_avg_pool2d):
        return len(node.args) == 2 and node.args[1] in (1, (1, 1), [1, 1])
    if is_pooled(node, keepdim=True):
        return True
    op = called_op(node)
    read = op.activations_of(node.args) if op else []
    if calls(node, *FORMULA_WORDS):
        read = [n for n in node.all_input_nodes if n.op != "get_attr"]
    return bool(read) and all(map(_one_pixel, read))


def is_pooled(node: Any, keepdim: bool) -> bool:
    """Return true for the mean over height and width, which stay as one, or not."""
    if not isinstance(node, Node) or node.target not in ("mean", torch.mean):
        return False
    given = dict(zip(("dim", "keepdim"), node.args[1:], strict=False)) | node.kwargs
    dim = given.pop("dim", None)
    dims = {d % 4 for d in dim} if isinstance(dim, tuple | list) else set()
    kept = given.pop("keepdim", False)
    return dims == {2, 3} and len(shape(node.args[0]) or ()) == 4 and kept is keepdim and not given
