"""Partition of a fused graph into subgraphs, each compiled to one program.

Most networks are a single subgraph. Where torch computes something in between there are several,
and where pictures of several sizes come from it, as on the levels of a U-net, one for each size. A
subgraph of level k reads what torch and other subgraphs make of earlier ones, so running level by
level (torch's nodes, then the subgraphs) keeps the order.
"""

from __future__ import annotations

import operator
from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor
from torch.fx import Graph, GraphModule, Node
from torch.fx.node import map_arg

from ...op import Op
from ..contract import REFERENCE, Assignment, Compiled
from .casting import cast
from .places import levels_of, programs, refusal
from .profit import gain_of
from .program import OpSet
from .shapes import outlined, shape_of
from .subgraph import Subgraph
from .torch_part import filters_of, gains_channels_last, lowered, set_op, spent_inputs

_LAST = torch.channels_last


def compile_graph(
    graph: GraphModule, dtype: torch.dtype, outer: torch.dtype, op_set: OpSet
) -> Compiled:
    """See :func:`esr_kernels.backends.bind`. ``op_set``: of the programs."""
    constants = {n: _attribute(graph, n.target) for n in graph.graph.nodes if n.op == "get_attr"}
    taken, possible = programs(graph.graph, constants, op_set)
    modules: dict[str, Any] = dict(graph.named_modules())
    modules.update((n.target, constants[n]) for n in constants)
    rest = [n for n in graph.graph.nodes if n not in taken and _standalone(n, constants, op_set)]
    alone = {n for n in rest if gain_of(graph.graph, {n}, constants, op_set) > 0}
    by_kernels = {*taken, *alone}
    in_torch = [n for n in graph.graph.nodes if n not in by_kernels]
    filters = [w for w in filters_of(in_torch) if constants[w].dim() == 4]
    turned = op_set.channels_last and gains_channels_last(in_torch, filters)
    for weight in filters if turned else ():
        modules[weight.target] = constants[weight].contiguous(memory_format=_LAST)
    ends = _Ends(graph.graph, taken, dtype, outer, turned)
    levels = levels_of(graph.graph, taken)
    for level in range(max(levels.values(), default=0) + 1):
        here = [n for n in graph.graph.nodes if levels.get(n) == level]
        for node in here:
            if node not in taken:
                op = None if node in alone else lowered(node, op_set)
                ends.add_torch(node, op, spent_inputs(node, by_kernels))
        for i, picture in enumerate(dict.fromkeys(taken[n].picture for n in here if n in taken)):
            steps = [n for n in here if n in taken and taken[n].picture == picture]
            modules[f"subgraph_{level}_{i}"] = subgraph = Subgraph(steps, constants, dtype, op_set)
            ends.add_subgraph(f"subgraph_{level}_{i}", subgraph, steps)
    compiled = GraphModule(modules, ends.finished()).to(dtype)

    def assigned(node: Node) -> Assignment:
        if node in by_kernels:
            return Assignment(ends.calls[node], op_set.name)
        if lowered(node, op_set) is None:
            return Assignment(ends.calls[node])
        why = _why_in_torch(node, constants, op_set, possible)
        return Assignment(ends.calls[node], REFERENCE, why)

    return Compiled(compiled, compiled, {n.name: assigned(n) for n in ends.calls}, turned)


def _attribute(graph: GraphModule, target: str) -> Tensor:
    return operator.attrgetter(target)(graph)


def _standalone(node: Node, constants: dict[Node, Tensor], op_set: OpSet) -> bool:
    """Return true for an op that the backend computes outside of a larger program too."""
    op = lowered(node, op_set)
    return op is not None and op_set.standalone(op, outlined(node, constants))


def _why_in_torch(
    node: Node, constants: dict[Node, Tensor], op_set: OpSet, possible: Collection[Node]
) -> str:
    """The reason, for an op that programs can have. ``possible``: the nodes that one could have."""
    if reason := refusal(node, constants, op_set):
        return reason
    if node not in possible:
        return "its size fits no program"
    return "it does not repay the way into a program"


class _Ends:
    """The graph of torch's nodes and the subgraphs, as it is put together.

    Subgraphs read the graph's inputs as they come, in the dtype ``outer``, and write results in it
    that nothing else reads. Torch's nodes read and make ``dtype``. What comes in is ``turned`` to
    channels_last, or not; programs and torch keep to the format that they get.
    """

    def __init__(
        self,
        graph: Graph,
        taken: Collection[Node],
        dtype: torch.dtype,
        outer: torch.dtype,
        turned: bool,
    ):
        self.graph = Graph()
        self._dtypes = dtype, outer
        self._turned = turned
        self._given: dict[Node, Node] = {}  # what subgraphs read
        self._cast: dict[Node, Node] = {}  # what torch's nodes read
        for node in graph.nodes:
            if node.op in ("placeholder", "get_attr"):
                twin = self.graph.node_copy(node)
                if turned and node.op == "placeholder" and len(shape_of(node)) == 4:
                    how = {"memory_format": _LAST}
                    twin = self.graph.call_method("contiguous", (twin,), how)
                self._enter(node, twin)
            if node.op == "placeholder" and outer != dtype:
                args = self._given[node], outer, dtype
                self._cast[node] = self.graph.call_function(cast, args)
        #: Names of the nodes here that do the work of the graph's.
        self.calls: dict[Node, str] = {}
        self._result = next(n for n in graph.nodes if n.op == "output")
        #: Results that a subgraph writes as they leave the graph.
        self.last = {n for n in taken if set(n.users) == {self._result}}

    def _enter(self, node: Node, twin: Node) -> None:
        self._given[node] = self._cast[node] = twin

    def add_torch(self, node: Node, op: Op | None, spent: list[int]) -> None:
        """``op``: that the node calls, to be computed in torch, over its ``spent`` inputs."""
        twin = self.graph.node_copy(node, self._cast.__getitem__)
        if op is not None:
            set_op(twin, op, spent)
        elif self._turned and node.target == "view":  # nothing is written through it
            twin.target = "reshape"
        self._enter(node, twin)
        self.calls[node] = twin.name

    def add_subgraph(self, name: str, subgraph: Subgraph, steps: list[Node]) -> None:
        dtype, outer = self._dtypes
        subgraph.dtypes = [outer if n in self.last else dtype for n in subgraph.outputs]
        call = self.graph.call_module(name, tuple(self._given[n] for n in subgraph.pictures))
        for i, node in enumerate(subgraph.outputs):
            self._enter(node, self.graph.call_function(operator.getitem, (call, i)))
        self.calls.update(dict.fromkeys(steps, call.name))

    def finished(self) -> Graph:
        self.graph.output(map_arg(self._result.args[0], self._leaving))
        for node in reversed(self.graph.nodes):  # constants of subgraphs, unused casts
            if not node.users and (node.op == "get_attr" or node.target is cast):
                self.graph.erase_node(node)
        return self.graph

    def _leaving(self, node: Node) -> Node:
        dtype, outer = self._dtypes
        twin = self._given[node]
        if dtype == outer or node in self.last:
            return twin
        return self.graph.call_function(cast, (twin, dtype, outer))
