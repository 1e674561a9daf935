"""Partition of a fused graph into subgraphs, each compiled to one program.

Most networks are a single subgraph. Where torch computes something in between there are several:
subgraph k reads torch's results on earlier subgraphs, so running level by level (torch's nodes,
then the subgraph) keeps the order.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Graph, GraphModule, Node
from torch.fx.node import map_arg

from ...op import Op, called_op, is_result
from .casting import cast
from .program import OpSet
from .sizes import ONE, PICTURE, SHUFFLED, UNKNOWN, Size, result_size

_SHIFTS = {operator.add: 1, torch.add: 1, operator.sub: -1, torch.sub: -1}


def compile_graph(
    graph: GraphModule, dtype: torch.dtype, outer: torch.dtype, op_set: OpSet
) -> tuple[Callable, dict[str, str]]:
    """See :func:`esr_kernels.backends.bind`. ``op_set``: of the programs."""
    constants = {n: _attribute(graph, n.target) for n in graph.graph.nodes if n.op == "get_attr"}
    taken = _profitable(_taken(graph.graph, constants, op_set), constants, op_set)
    modules: dict[str, Any] = dict(graph.named_modules())
    modules.update((n.target, constants[n]) for n in constants)
    ends = _Ends(graph.graph, taken, dtype, outer)
    levels = _levels(graph.graph, taken)
    for level in range(max(levels.values(), default=0) + 1):
        here = [n for n in graph.graph.nodes if levels.get(n) == level]
        for node in here:
            if node not in taken:
                ends.add_torch(node)
        steps = [n for n in here if n in taken]
        if steps:
            modules[f"subgraph_{level}"] = subgraph = Subgraph(steps, constants, dtype, op_set)
            ends.add_subgraph(f"subgraph_{level}", subgraph)
    where = {n.name: op_set.name for n in taken}
    for node in graph.graph.nodes:  # an op outside the subgraphs is dispatched by itself
        if node not in taken and _lowered(node, op_set):
            where[node.name] = op_set.name if _standalone(node, constants, op_set) else "reference"
    return GraphModule(modules, ends.finished()).to(dtype), where


def _lowered(node: Node, op_set: OpSet) -> Op | None:
    """The op that the node calls, if programs can have it."""
    op = called_op(node)
    return op if op and op.name in op_set.lower else None


def _attribute(graph: GraphModule, target: str) -> Tensor:
    return operator.attrgetter(target)(graph)


def _shape(node: Node) -> tuple[int, ...]:
    """The node's shape for a test picture; () if it is no tensor."""
    return node.meta.get("shape", ())


def _taken(graph: Graph, constants: dict[Node, Tensor], op_set: OpSet) -> set[Node]:
    """Nodes that become steps: ops, elements of an op's results, and shifts of a picture.

    What a program reads from outside has one size, the one at which most of its ops read; other
    sizes follow from it inside.
    """
    found = Counter(_shape(_first(n))[2:] for n in graph.nodes if _lowered(n, op_set))
    picture = found.most_common(1)[0][0] if found else ()
    banned: set[Node] = set()
    while True:
        sizes = _sizes(graph, constants, op_set, picture, banned)
        levels = _levels(graph, set(sizes))
        # From one subgraph to the next a value goes as a picture.
        torn = {
            node
            for node in sizes
            for n in node.all_input_nodes
            if n in sizes and levels[n] != levels[node] and sizes[n] not in (PICTURE, ONE)
        }
        if not torn:
            return set(sizes)
        banned |= torn


def _sizes(
    graph: Graph,
    constants: dict[Node, Tensor],
    op_set: OpSet,
    picture: tuple[int, ...],
    banned: set[Node],
) -> dict[Node, Size]:
    """The nodes that programs can have, with the size of what they make. Inputs of programs are of
    the shape ``picture`` for the test picture."""
    sizes: dict[Node, Size] = {}

    def size(node: Node) -> Size:
        known = sizes.get(node, PICTURE if _shape(node)[2:] == picture else UNKNOWN)
        return UNKNOWN if known == SHUFFLED else known

    for node in graph.nodes:
        reads = [n for n in node.all_input_nodes if n not in constants]
        op = called_op(node)
        if node in banned:
            continue
        if is_result(node):
            sizes.update({node: sizes[node.args[0]]} if node.args[0] in sizes else {})
        elif op and reads and _supports(node, constants, op_set):
            args = op.map_activations(node.args, size)
            read = op.activations_of(args)
            usable = UNKNOWN not in read if op_set.resizes else set(read) == {PICTURE}
            result = result_size(op, args) if usable else None
            if result is not None:
                sizes[node] = result
        elif _shift(node, constants) is not None and reads[0] not in sizes:
            sizes.update({node: PICTURE} if size(reads[0]) == PICTURE else {})
    return sizes


def _profitable(taken: set[Node], constants: dict[Node, Tensor], op_set: OpSet) -> set[Node]:
    """Drop subgraphs whose gain does not repay converting layouts at their border."""
    kept: set[Node] = set()
    rest = set(taken)
    while rest:
        group, edge = set(), [rest.pop()]
        while edge:
            node = edge.pop()
            group.add(node)
            near = {n for n in (*node.all_input_nodes, *node.users) if n in rest}
            rest -= near
            edge.extend(near)
        if _gains(group, constants, op_set):
            kept |= group
    return kept


def _gains(group: set[Node], constants: dict[Node, Tensor], op_set: OpSet) -> bool:
    """Return true if some op of the group is worth a program of its own.

    Depthwise convolutions are soon computed: in a group that has no other such ops, not more than
    four pictures may come and go for each. In LKFN ten do, and programs were slower than torch.
    """
    standalone = [node.target.name for node in group if _standalone(node, constants, op_set)]
    if set(standalone) != {"depthwise_act"}:
        return bool(standalone)
    reads = {n for node in group for n in node.all_input_nodes} - group - set(constants)
    written = [node for node in group if any(user not in group for user in node.users)]
    return len(reads) + len(written) <= 4 * len(standalone)


def _standalone(node: Node, constants: dict[Node, Tensor], op_set: OpSet) -> bool:
    """Return true for an op that the backend computes outside of a larger program too."""
    op = _lowered(node, op_set)
    return op is not None and op_set.standalone(op, _outlined(node, constants))


def _outlined(node: Node, constants: dict[Node, Tensor]) -> tuple:
    """An op's schema arguments with shapes in place of tensors."""
    return map_arg(node.args, lambda n: tuple(constants[n].shape) if n in constants else _shape(n))


def _first(node: Node) -> Node:
    """The first activation that an op reads."""
    return node.args[0] if isinstance(node.args[0], Node) else node.args[0][0]


def _supports(node: Node, constants: dict[Node, Tensor], op_set: OpSet) -> bool:
    """Return true for an op that programs can have, with constant weights."""
    op = _lowered(node, op_set)
    if op is None or not op_set.supports(op, _outlined(node, constants)):
        return False
    read = op.activations_of(node.args)
    weights = [n for n in node.all_input_nodes if n not in read]
    return all(n in constants for n in weights) and not any(a in constants for a in read)


def _shift(node: Node, constants: dict[Node, Tensor]) -> Tensor | None:
    """``s`` where the node computes ``x + s`` with one number per channel, else None."""
    if node.op != "call_function" or node.target not in _SHIFTS or len(node.args) != 2:
        return None
    if node.kwargs or not isinstance(node.args[0], Node) or node.args[1] not in constants:
        return None
    value = constants[node.args[1]]
    if value.dim() < 3 or value.numel() != value.shape[-3]:
        return None
    return _SHIFTS[node.target] * value.reshape(-1)


def _levels(graph: Graph, taken: set[Node]) -> dict[Node, int]:
    """Count the subgraphs before each node, on the longest path to it.

    ``meta["after"]`` names the nodes that have to run before one though it does not read them.
    """
    levels: dict[Node, int] = {}
    for node in graph.nodes:
        if node.op in ("placeholder", "get_attr", "output"):
            continue
        levels[node] = max(
            (
                levels[n] + (n in taken and node not in taken)
                for n in (*node.all_input_nodes, *node.meta.get("after", ()))
                if n in levels
            ),
            default=0,
        )
    return levels


class _Ends:
    """The graph of torch's nodes and the subgraphs, as it is put together.

    Subgraphs read the graph's inputs as they come, in the dtype ``outer``, and write results in it
    that nothing else reads. Torch's nodes read and make ``dtype``.
    """

    def __init__(
        self, graph: Graph, taken: Collection[Node], dtype: torch.dtype, outer: torch.dtype
    ):
        self.graph = Graph()
        self._dtypes = dtype, outer
        self._given: dict[Node, Node] = {}  # what subgraphs read
        self._cast: dict[Node, Node] = {}  # what torch's nodes read
        for node in graph.nodes:
            if node.op in ("placeholder", "get_attr"):
                self._enter(node, self.graph.node_copy(node))
            if node.op == "placeholder" and outer != dtype:
                args = self._given[node], outer, dtype
                self._cast[node] = self.graph.call_function(cast, args)
        self._result = next(n for n in graph.nodes if n.op == "output")
        #: Results that a subgraph writes as they leave the graph.
        self.last = {n for n in taken if set(n.users) == {self._result}}

    def _enter(self, node: Node, twin: Node) -> None:
        self._given[node] = self._cast[node] = twin

    def add_torch(self, node: Node) -> None:
        self._enter(node, self.graph.node_copy(node, self._cast.__getitem__))

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


class Subgraph(nn.Module):
    """Some op nodes of a graph, as one program.

    ``forward`` takes the tensors of ``pictures`` and returns those of ``outputs``, in ``dtypes``;
    channels_last if its first input is.
    """

    def __init__(self, nodes: list[Node], constants: dict, dtype: torch.dtype, op_set: OpSet):
        super().__init__()
        self.dtypes: list[torch.dtype] = []
        self.pictures: list[Node] = []  # whose tensors the program reads, in its order
        self.outputs = [n for n in nodes if any(u not in nodes for u in n.users)]
        self.builder = op_set.builder(dtype)
        self._resizes = op_set.resizes
        values: dict[Node, Any] = {}
        for node in nodes:
            values[node] = self._step(node, values, constants, op_set)
        for node in self.outputs:
            self.builder.output(values[node])

    def _picture(self, node: Node, shift: Tensor | None = None) -> int:
        self.pictures.append(node)
        if self._resizes and _shape(node)[2:] == (1, 1):
            return self.builder.pixel(_shape(node)[1])
        return self.builder.input(_shape(node)[1], shift)

    def _step(self, node: Node, values: dict, constants: dict, op_set: OpSet) -> Any:
        shift = _shift(node, constants)
        if shift is not None:
            return self._picture(node.args[0], shift)
        for read in node.all_input_nodes:
            if read not in values and read not in constants:
                values[read] = self._picture(read)
        args = map_arg(node.args, lambda n: constants[n] if n in constants else values[n])
        op = called_op(node)
        if op is None:  # an element of an op's results
            return args[0][args[1]]
        return op_set.lower[op.name](self.builder, *args)

    def forward(self, *pictures: Tensor) -> list[Tensor]:
        return self.builder.run(pictures, self.dtypes)
