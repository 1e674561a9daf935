"""Partition of a fused graph into subgraphs, each compiled to one program.

Most networks are a single subgraph. Where torch computes something in between there are several,
and where pictures of several sizes come from it, as on the levels of a U-net, one for each size. A
subgraph of level k reads what torch and other subgraphs make of earlier ones, so running level by
level (torch's nodes, then the subgraphs) keeps the order.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Collection
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.fx import Graph, GraphModule, Node
from torch.fx.node import map_arg

from ...op import Op, called_op, is_result
from .casting import cast
from .profit import gains, profitable
from .program import OpSet, Shape
from .shapes import outlined, shape_of
from .sizes import ONE, PICTURE, SHUFFLED, UNKNOWN, Place, Size, result_size
from .subgraph import Subgraph, shift_of

_CONVOLUTIONS = (F.conv2d, F.conv_transpose2d)
_LAST = torch.channels_last


def compile_graph(
    graph: GraphModule, dtype: torch.dtype, outer: torch.dtype, op_set: OpSet
) -> tuple[Callable, dict[str, str]]:
    """See :func:`esr_kernels.backends.bind`. ``op_set``: of the programs."""
    constants = {n: _attribute(graph, n.target) for n in graph.graph.nodes if n.op == "get_attr"}
    taken = _programs(graph.graph, constants, op_set)
    modules: dict[str, Any] = dict(graph.named_modules())
    modules.update((n.target, constants[n]) for n in constants)
    rest = [n for n in graph.graph.nodes if n not in taken and _standalone(n, constants, op_set)]
    alone = {n for n in rest if gains(graph.graph, {n}, constants, op_set)}
    in_torch = [n for n in graph.graph.nodes if n not in taken and n not in alone]
    filters = [w for w in _filters_of_torch(in_torch) if constants[w].dim() == 4]
    turned = op_set.channels_last and bool(filters)
    for weight in filters if turned else ():
        modules[weight.target] = constants[weight].contiguous(memory_format=_LAST)
    ends = _Ends(graph.graph, taken, dtype, outer, turned)
    levels = _levels(graph.graph, taken)
    for level in range(max(levels.values(), default=0) + 1):
        here = [n for n in graph.graph.nodes if levels.get(n) == level]
        for node in here:
            if node not in taken:
                ends.add_torch(node, None if node in alone else _lowered(node, op_set))
        for i, picture in enumerate(dict.fromkeys(taken[n].picture for n in here if n in taken)):
            steps = [n for n in here if n in taken and taken[n].picture == picture]
            modules[f"subgraph_{level}_{i}"] = subgraph = Subgraph(steps, constants, dtype, op_set)
            ends.add_subgraph(f"subgraph_{level}_{i}", subgraph)
    where = {n.name: op_set.name for n in (*taken, *alone)}
    for node in graph.graph.nodes:
        if node.name not in where and _lowered(node, op_set):
            where[node.name] = "reference"
    return GraphModule(modules, ends.finished()).to(dtype), where


def _filters_of_torch(in_torch: list[Node]) -> list[Node]:
    """Weights of convolutions that torch computes, in a graph of which every part may be given any
    format; elsewhere none."""
    if any(n.meta.get("writes") for n in in_torch):
        return []
    convolve = [n for n in in_torch if n.target in _CONVOLUTIONS or called_op(n)]
    return [w for n in convolve for w in n.all_input_nodes if w.op == "get_attr"]


def _lowered(node: Node, op_set: OpSet) -> Op | None:
    """The op that the node calls, if programs can have it."""
    op = called_op(node)
    return op if op and op.name in op_set.lower else None


def _attribute(graph: GraphModule, target: str) -> Tensor:
    return operator.attrgetter(target)(graph)


def _programs(graph: Graph, constants: dict[Node, Tensor], op_set: OpSet) -> dict[Node, Place]:
    """Nodes that become steps: ops, elements of an op's results, and shifts of a picture."""
    banned: set[Node] = set()
    while True:
        possible = _places(graph, constants, op_set, banned)
        taken = profitable(graph, possible, constants, op_set)
        levels = _levels(graph, taken)
        # From one subgraph to the next a value goes as a picture.
        torn = {
            node
            for node, place in taken.items()
            for n in node.all_input_nodes
            if n in taken
            and taken[n].picture == place.picture
            and levels[n] != levels[node]
            and taken[n].size not in (PICTURE, ONE)
        }
        if not torn:
            return taken
        banned |= torn


def _places(
    graph: Graph, constants: dict[Node, Tensor], op_set: OpSet, banned: set[Node]
) -> dict[Node, Place]:
    """The nodes that programs can have.

    What a program reads from outside has one size; other sizes follow from it inside. The size at
    which most ops read is tried first, then that of most of the rest.
    """
    places: dict[Node, Place] = {}
    tried: set[Shape] = {(1, 1)}  # what has one pixel is too small for a program of its own
    while True:
        rest = [n for n in graph.nodes if n not in places and _lowered(n, op_set)]
        found = Counter(shape_of(_first(n))[2:] for n in rest)
        picture = next((p for p, _ in found.most_common() if p not in tried), None)
        if picture is None:
            return places
        tried.add(picture)
        _place(graph, constants, op_set, picture, banned, places)


def _place(
    graph: Graph,
    constants: dict[Node, Tensor],
    op_set: OpSet,
    picture: Shape,
    banned: set[Node],
    places: dict[Node, Place],
) -> None:
    """Adds the nodes that programs can have whose inputs are of the shape ``picture`` for the test
    picture."""

    def size(node: Node) -> Size:
        place = places.get(node)
        if place and (place.picture == picture or place.size == ONE):
            return UNKNOWN if place.size == SHUFFLED else place.size
        return PICTURE if shape_of(node)[2:] == picture else UNKNOWN

    for node in graph.nodes:
        if node in banned or node in places:
            continue
        result = _result(node, constants, op_set, size)
        if is_result(node):
            source = places.get(node.args[0])
            result = source.size if source and source.picture == picture else None
        if result is not None:
            places[node] = Place(picture, result)


def _result(
    node: Node, constants: dict[Node, Tensor], op_set: OpSet, size: Callable[[Node], Size]
) -> Size | None:
    """The size of what a program makes of the node; None if it cannot have it."""
    reads = [n for n in node.all_input_nodes if n not in constants]
    op = called_op(node)
    if op and reads and _supports(node, constants, op_set):
        args = op.map_activations(node.args, size)
        args = map_arg(args, lambda weight: tuple(constants[weight].shape))
        read = op.activations_of(args)
        usable = UNKNOWN not in read if op_set.resizes else set(read) == {PICTURE}
        return result_size(op, args) if usable else None
    shifted = shift_of(node, constants) is not None and size(reads[0]) == PICTURE
    return PICTURE if shifted else None


def _standalone(node: Node, constants: dict[Node, Tensor], op_set: OpSet) -> bool:
    """Return true for an op that the backend computes outside of a larger program too."""
    op = _lowered(node, op_set)
    return op is not None and op_set.standalone(op, outlined(node, constants))


def _first(node: Node) -> Node:
    """The first activation that an op reads."""
    return node.args[0] if isinstance(node.args[0], Node) else node.args[0][0]


def _supports(node: Node, constants: dict[Node, Tensor], op_set: OpSet) -> bool:
    """Return true for an op that programs can have, with constant weights."""
    op = _lowered(node, op_set)
    if op is None or not op_set.supports(op, outlined(node, constants)):
        return False
    read = op.activations_of(node.args)
    weights = [n for n in node.all_input_nodes if n not in read]
    return all(n in constants for n in weights) and not any(a in constants for a in read)


def _levels(graph: Graph, taken: dict[Node, Place]) -> dict[Node, int]:
    """Count the subgraphs before each node, on the longest path to it.

    ``meta["after"]`` names the nodes that have to run before one though it does not read them.
    """
    levels: dict[Node, int] = {}
    program = {node: place.picture for node, place in taken.items()}
    for node in graph.nodes:
        if node.op in ("placeholder", "get_attr", "output"):
            continue
        levels[node] = max(
            (
                levels[n] + (n in program and program[n] != program.get(node))
                for n in (*node.all_input_nodes, *node.meta.get("after", ()))
                if n in levels
            ),
            default=0,
        )
    return levels


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
        self._result = next(n for n in graph.nodes if n.op == "output")
        #: Results that a subgraph writes as they leave the graph.
        self.last = {n for n in taken if set(n.users) == {self._result}}

    def _enter(self, node: Node, twin: Node) -> None:
        self._given[node] = self._cast[node] = twin

    def add_torch(self, node: Node, op: Op | None) -> None:
        """``op``: that the node calls, to be computed in torch."""
        twin = self.graph.node_copy(node, self._cast.__getitem__)
        if op is not None:
            twin.target = op.in_torch
        elif self._turned and node.target == "view":  # nothing is written through it
            twin.target = "reshape"
        self._enter(node, twin)

    def add_subgraph(self, name: str, subgraph: Subgraph) -> None:
        dtype, outer = self._dtypes
        subgraph.dtypes = [outer if n in self.last else dtype for n in subgraph.outputs]
        call = self.graph.call_module(name, tuple(self._given[n] for n in subgraph.pictures))
        for i, node in enumerate(subgraph.outputs):
            self._enter(node, self.graph.call_function(operator.getitem, (call, i)))

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
