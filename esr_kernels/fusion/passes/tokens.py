"""Moves work on tokens, ``[N, H*W, C]`` and the like, to the picture that they came from.

A linear layer of tokens is a 1x1 convolution of the picture; a layer norm over the last axis is one
over the channels; what looks at each number by itself commutes with any order of them. Each is put
before the rearrangement, which is made for whoever still reads tokens; where a picture follows, the
two rearrangements vanish. The same for ``[N, C]``, which was one pixel, in squeeze and excite.
"""

from __future__ import annotations

import operator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.fx import Graph, Node
from torch.fx.node import map_arg

from ...op import called_op
from ...ops import CONV_ACT
from .. import memory
from ..arithmetic import FORMULA_WORDS
from ..graph import Conv, calls, constant, paths, shape, sweep, value, writes
from ..layouts import CHANNELS, PIXEL, WHOLE, Layout, arranged, entered, rearranged
from ..lengths import Lengths, asked_of, is_pooled, is_shape, whole_of


def fuse_tokens(graph: Graph) -> None:
    """Linear layers, layer norms, and functions of each number, of pictures in another layout."""
    _Tokens(graph).rewrite()
    sweep(graph)


class _Tokens:
    def __init__(self, graph: Graph):
        self.graph = graph
        self.layouts: dict[Node, Layout] = {}
        self.lengths = Lengths(self.layout)
        storage = memory.storages(graph)
        written = {storage[n] for n in graph.nodes if writes(n)}
        #: What is written to is left as it is, and what shares memory with it.
        self.closed = {n for n, s in storage.items() if s in written}

    def rewrite(self) -> None:
        for node in list(self.graph.nodes):
            if node.op in ("call_function", "call_method") and node not in self.closed:
                self.visit(node)
        for node in list(self.graph.nodes):
            self.ask_the_picture(node)

    def layout(self, node: Any) -> Layout | None:
        """The node's layout: that of a picture for a tensor of four sides that is nothing else."""
        if not isinstance(node, Node) or node in self.closed or value(node) is not None:
            return None
        if node in self.layouts:
            return self.layouts[node]
        if len(shape(node) or ()) != 4:
            return None
        whole = whole_of(node)
        return Layout(node, whole, whole)

    def visit(self, node: Node) -> None:
        found = self.moved(node)
        if found is not None:
            self.layouts[node] = found
            if found.is_picture:
                node.replace_all_uses_with(found.picture)
            return
        rules = (self.pooled, self.spread, self.linear, self.norm, self.parts, self.function)
        any(rule(node) for rule in rules)

    def moved(self, node: Node) -> Layout | None:
        """The layout of a result that holds the numbers of the node's first argument."""
        source = self.layout(node.args[0]) if node.args else None
        if source is None or called_op(node):
            return None
        channels = shape(source.picture)[1]
        known = source.sides
        if node.target in ("view", "reshape", torch.reshape) and is_shape(node.args[-1]):
            like = self.layout(node.args[-1].args[0])
            if like is None or node.kwargs or not self.alike(like.picture, source.picture):
                return None
            flat = sum(known, ())
            same = flat == sum(like.sides, ()) and shape(like.picture)[1] == channels
            return Layout(source.picture, like.sides, source.whole) if same else None
        sides = rearranged(node, known, lambda v: self.lengths.axes_of(v, source), channels)
        return None if sides is None else Layout(source.picture, sides, source.whole)

    def alike(self, a: Node, b: Node) -> bool:
        return self.lengths.origin(a) is self.lengths.origin(b)

    def laid_out(self, node: Any) -> Layout | None:
        """The layout of a tensor that is no picture."""
        found = self.layout(node)
        return None if found is None or found.is_picture else found

    def make(self, node: Node, like: Layout, size: tuple, target: Any, args: tuple) -> None:
        """Puts ``target(*args)`` on pictures, and the layout of its result, in the node's place."""
        with self.graph.inserting_before(node):
            picture = self.graph.call_function(target, args)
            picture.meta.update(path=paths(node)[-1], shape=size)
            self.finish(node, Layout(picture, like.sides, like.whole), like.picture)

    def finish(self, node: Node, made: Layout, source: Node) -> None:
        """The picture's numbers in this layout, in the node's place. Goes before the node."""
        self.lengths.made[made.picture] = source
        new = arranged(made)
        self.layouts[new] = made
        node.replace_all_uses_with(new)
        self.graph.erase_node(node)

    def pooled(self, node: Node) -> bool:
        """``x.mean((2, 3))`` is one pixel, without its last two sides."""
        if not is_pooled(node, keepdim=False) or self.layout(node.args[0]) is None:
            return False
        x = node.args[0]
        with self.graph.inserting_before(node):
            made = self.graph.call_method("mean", (x, (2, 3)), {"keepdim": True})
            made.meta.update(path=paths(node)[-1], shape=(*shape(x)[:2], 1, 1))
            new = arranged(Layout(made, ((0,), (1,)), PIXEL))
        self.layouts[new] = Layout(made, ((0,), (1,)), PIXEL)
        node.replace_all_uses_with(new)
        self.graph.erase_node(node)
        return True

    def spread(self, node: Node) -> bool:
        """One pixel spread over a picture, for functions that spread it themselves."""
        like = self.layout(node.args[0]) if node.target in ("expand", "expand_as") else None
        if like is None or not like.is_picture or like.whole != PIXEL:
            return False
        for user in node.users:
            others = [a for a in user.args if isinstance(a, Node) and a is not node]
            if not calls(user, *FORMULA_WORDS) or shape(node) not in map(shape, others):
                return False
        node.replace_all_uses_with(like.picture)
        return True

    def on_channels(self, node: Node) -> Layout | None:
        """The layout of the first argument if its last side is the channels'."""
        like = self.laid_out(node.args[0])
        return like if like is not None and like.sides[-1] == CHANNELS else None

    def linear(self, node: Node) -> bool:
        if not calls(node, F.linear) or node.kwargs or (like := self.on_channels(node)) is None:
            return False
        _, weight, bias = (*node.args, None)[:3]
        matrix, offset = value(weight), value(bias)
        if matrix is None or matrix.dim() != 2 or (bias is not None and offset is None):
            return False
        if matrix.shape[1] != shape(like.picture)[1]:
            return False
        with self.graph.inserting_before(node):
            conv = Conv(
                (like.picture,),
                constant(self.graph, matrix[:, :, None, None], f"{paths(node)[-1]}.weight"),
                constant(self.graph, offset, f"{paths(node)[-1]}.bias"),
            )
        n, _, h, w = shape(like.picture)
        self.make(node, like, (n, matrix.shape[0], h, w), CONV_ACT, conv.args)
        return True

    def norm(self, node: Node) -> bool:
        """Puts a norm on the channels moved last, for the pass that knows norms."""
        if not calls(node, F.layer_norm) or (like := self.on_channels(node)) is None:
            return False
        size = shape(like.picture)
        lengths = node.args[1] if len(node.args) > 1 else node.kwargs.get("normalized_shape")
        if like.whole != WHOLE or lengths is None or tuple(lengths) != size[1:2]:
            return False
        last = (size[0], *size[2:], size[1])
        with self.graph.inserting_before(node):
            moved = self.graph.call_method("movedim", (like.picture, 1, -1))
            normed = self.graph.call_function(F.layer_norm, (moved, *node.args[1:]), node.kwargs)
            picture = self.graph.call_method("movedim", (normed, -1, 1))
            for new, its in ((moved, last), (normed, last), (picture, size)):
                new.meta.update(path=paths(node)[-1], shape=its)
            made = Layout(picture, like.sides, like.whole)
            self.finish(node, made, like.picture)
        return True

    def parts(self, node: Node) -> bool:
        """``chunk`` and ``split`` of the channels, which are last."""
        name = getattr(node.target, "__name__", node.target)
        if name not in ("chunk", "split") or (like := self.on_channels(node)) is None:
            return False
        given = dict(zip(("parts", "dim"), node.args[1:], strict=False)) | node.kwargs
        parts, dim = given.get("parts"), given.get("dim", 0)
        elements = [u for u in node.users if calls(u, operator.getitem)]
        last = dim in (-1, len(like.sides) - 1)
        if not last or parts is None or len(given) != 2 or len(elements) != len(node.users):
            return False
        with self.graph.inserting_before(node):
            split = self.graph.call_method(name, (like.picture, parts), {"dim": 1})
            split.meta.update(path=paths(node)[-1])
        n, _, h, w = shape(like.picture)
        for element in elements:
            size = (n, shape(element)[-1], h, w)
            self.make(element, like, size, operator.getitem, (split, element.args[1]))
        return True

    def function(self, node: Node) -> bool:
        """A function of each number by itself, of which an operand is laid out."""
        if not calls(node, *FORMULA_WORDS) or node.kwargs:
            return False
        found = [n for a in node.args if (n := self.laid_out(a)) and shape(a) == shape(node)]
        if not found:
            return False
        like = max(found, key=lambda n: n.whole == WHOLE)
        before = node.prev
        operands = [self.operand(node, a, like) for a in node.args]
        if any(given is _NONE for given in operands):
            while node.prev is not before:
                self.graph.erase_node(node.prev)
            return False
        self.make(node, like, shape(like.picture), node.target, tuple(operands))
        return True

    def operand(self, node: Node, a: Any, like: Layout) -> Any:
        """Returns what the picture's function reads in the place of ``a``."""
        if not isinstance(a, Node):
            return a
        with self.graph.inserting_before(node):
            if (fixed := value(a)) is not None:
                return a if fixed.numel() == 1 else self.constant(node, fixed, like)
            own = self.layouts.get(a)
            if own is None:
                whole = like.whole == WHOLE and shape(a) == shape(node) and a not in self.closed
                origin = self.lengths.origin(like.picture)
                return (entered(a, like, origin) if whole else None) or _NONE
            same = shape(own.picture) == shape(like.picture) and own.whole == like.whole
            # Sides of one axis each are equal in every picture, or the sum itself spreads them.
            apart = same and all(len(side) < 2 for side in own.sides)
            if own.sides == like.sides and (apart or self.alike(own.picture, like.picture)):
                return own.picture
            pairs = zip(own.sides[::-1], like.sides[::-1], strict=False)
            spread = own.whole == PIXEL and len(own.sides) == len(like.sides)
            fits = spread and all(mine in ((), theirs) for mine, theirs in pairs)
            return own.picture if fits and (0,) in own.sides and CHANNELS in own.sides else _NONE

    def constant(self, node: Node, fixed: Tensor, like: Layout) -> Any:
        channels = like.sides.index(CHANNELS) - len(like.sides)
        alone = fixed.numel() == shape(like.picture)[1] and -channels <= fixed.dim()
        if node.target is F.prelu or not alone or fixed.shape[channels] != fixed.numel():
            return _NONE
        return constant(self.graph, fixed.reshape(-1, 1, 1), f"{paths(node)[-1]}.constant")

    def ask_the_picture(self, node: Node) -> None:
        """Lengths of a layout are those of the node that its picture has its size from."""
        asked = asked_of(node)
        like = self.laid_out(asked[0]) if asked else None
        if asked is None or like is None:
            return
        side = like.sides[asked[1]]
        if side in (CHANNELS, ()):
            length: Any = shape(asked[0])[asked[1]]
        else:
            length = self.product(node, self.lengths.origin(like.picture), side)
        for user in list(node.users):
            _replace_argument(user, node, length)

    def product(self, node: Node, origin: Node, side: tuple[int, ...]) -> Node:
        with self.graph.inserting_before(node):
            whole = self.graph.call_function(getattr, (origin, "shape"))
            lengths = [self.graph.call_function(operator.getitem, (whole, axis)) for axis in side]
            total = lengths[0]
            for length in lengths[1:]:
                total = self.graph.call_function(operator.mul, (total, length))
        return total


_NONE = object()


def _replace_argument(user: Node, node: Node, length: Any) -> None:
    def replaced(n: Node) -> Any:
        return length if n is node else n

    user.args, user.kwargs = map_arg(user.args, replaced), map_arg(user.kwargs, replaced)
