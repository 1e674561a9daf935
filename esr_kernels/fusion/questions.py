"""Questions of a module's code about the shape of its input, and the answers that it got.

A graph stands for the code as long as the answers stay. They are found without computing anything:
torch runs shapes alone, on its device ``meta``.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Graph, Node
from torch.fx.node import map_aggregate, map_arg

from .shape_rules import ByRule
from .values import Untraceable

#: Not decided by a shape.
_UNKNOWABLE = frozenset(
    {"is_contiguous", "stride", "storage_offset", "data_ptr", "requires_grad", "is_leaf", "grad"}
    | {"get_device", "type", "item", "tolist", "layout", "is_inference", "grad_fn"}
)
_SIGNS = {
    **{operator.add: "+", operator.sub: "-", operator.mul: "*", operator.truediv: "/"},
    **{operator.floordiv: "//", operator.mod: "%", operator.eq: "==", operator.ne: "!="},
    **{operator.lt: "<", operator.le: "<=", operator.gt: ">", operator.ge: ">="},
}


class Shapes:
    """Values of a graph's nodes for inputs of some shapes: numbers, and tensors on ``meta``.

    ``probes``: tensors of the inputs' shapes, dtype and device. ``blank``: the module on ``meta``,
    None if it cannot be put there.
    """

    def __init__(self, probes: tuple[Tensor, ...], blank: nn.Module | None):
        self._probes, self._blank = probes, blank
        self._kind, self.device = probes[0], probes[0].device
        self._known: dict[Node, Any] = {}

    def value(self, node: Node) -> Any:
        """The node's value. Raises ``Untraceable`` if the input's shape does not decide it."""
        needed, todo = set(), [node]
        while todo:
            one = todo.pop()
            if one not in needed and one not in self._known:
                needed.add(one)
                todo += one.all_input_nodes
        for one in sorted(needed):
            try:
                with torch.no_grad(), torch.device("meta"), ByRule():
                    self._known[one] = self._computed(one)
            except Untraceable:
                raise
            except Exception as error:
                raise Untraceable(
                    f"it asks for more than shapes ({type(error).__name__})"
                ) from error
        return self._known[node]

    def _computed(self, node: Node) -> Any:
        if node.op == "placeholder":
            place = node.graph.find_nodes(op="placeholder").index(node)
            return torch.empty(self._probes[place].shape, dtype=torch.float64)
        if node.op == "get_attr":
            return node.meta["value"].to("meta")
        args, kwargs = (map_arg(a, self._known.__getitem__) for a in (node.args, node.kwargs))
        args, kwargs = map_aggregate((args, kwargs), _on_meta)
        name = args[1] if node.target is getattr else node.target
        if name in _UNKNOWABLE:
            raise Untraceable(f"it asks for a tensor's {name}")
        if node.target is getattr:
            return self._attribute(*args)
        if node.op == "call_module":
            return self._blank.get_submodule(node.target)(*args, **kwargs)
        if node.op == "call_method":
            return getattr(args[0], node.target)(*args[1:], **kwargs)
        return node.target(*args, **kwargs)

    def _attribute(self, owner: Any, name: str) -> Any:
        if isinstance(owner, Tensor):
            if name in ("device", "is_cuda"):
                return getattr(self._kind, name)
            if name == "dtype" and owner.is_floating_point():
                return self._kind.dtype
        return getattr(owner, name)


def _on_meta(argument: Any) -> Any:
    return torch.device("meta") if isinstance(argument, torch.device) else argument


@dataclass(frozen=True)
class Question:
    """``node``: what was asked. ``answer``: a bool where code branched, else the number itself."""

    node: Node
    answer: Any

    def __str__(self) -> str:
        text = _phrase(self.node)
        if isinstance(self.answer, bool):
            return text if self.answer else f"not ({text})"
        return f"{text} == {self.answer}"


class Questions:
    """The questions of one graph, kept in a graph of their own.

    ``asked`` is left alone; ``blank`` as for :class:`Shapes`.
    """

    def __init__(self, asked: list[Question], probe: Tensor, blank: nn.Module | None):
        self._kind = probe.new_empty(())
        self._blank = blank
        twins: dict[Node, Node] = {}
        graph = Graph()
        inputs = asked[0].node.graph.find_nodes(op="placeholder") if asked else ()
        needed, todo = set(inputs), [q.node for q in asked]
        while todo:
            one = todo.pop()
            if one not in needed:
                needed.add(one)
                todo += one.all_input_nodes
        for node in sorted(needed):
            twins[node] = graph.node_copy(node, twins.__getitem__)
        self.asked = [Question(twins[q.node], q.answer) for q in asked]
        self._graph = graph
        #: What is asked, and answered, in words.
        self.phrases = list(dict.fromkeys(map(str, asked)))

    def hold(self, shapes: Iterable[tuple[int, ...]]) -> bool:
        """Return true if all answers are the same for inputs of these shapes."""
        there = Shapes(tuple(map(self._kind.expand, shapes)), self._blank)
        try:
            return all(_is(there.value(q.node), q.answer) for q in self.asked)
        except Untraceable:  # the module's own check refuses it, or it fits no further
            return False


def _is(value: Any, answer: Any) -> bool:
    if isinstance(value, Tensor):
        return False
    return bool(value) is answer if isinstance(answer, bool) else bool(value == answer)


def _phrase(node: Any) -> str:
    if isinstance(node, slice):
        ends = ("" if end is None else str(end) for end in (node.start, node.stop))
        return ":".join(ends)
    if not isinstance(node, Node) or node.op in ("placeholder", "get_attr", "call_module"):
        return str(node)
    args = [_phrase(a) for a in node.args]
    if node.target is getattr:
        return f"{node.args[0]}.{args[1]}"  # of a tensor, which has a name
    if node.target is operator.getitem:
        return f"{args[0]}[{args[1]}]"
    if node.target in _SIGNS:
        terms = (f"({a})" if " " in a else a for a in args)
        return f" {_SIGNS[node.target]} ".join(terms)
    if node.op == "call_method":
        return f"{node.args[0]}.{node.target}({', '.join(args[1:])})"
    return f"{getattr(node.target, '__name__', node.target)}({', '.join(args)})"
