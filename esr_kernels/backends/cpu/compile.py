"""A fused graph as programs: what the kernels take runs in their own layout from end to end.

A *region* is a part of the graph that becomes one program. Most networks are a single region. Where
torch computes something in between there are several: region k reads what torch made of the results
of regions before it, so running level by level (torch's nodes, then the region) keeps the order.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Graph, GraphModule, Node
from torch.fx.node import map_arg

from .builder import LOWER, MAX_FACTOR, MAX_SOURCES, Builder

_SHIFTS = {operator.add: 1, torch.add: 1, operator.sub: -1, torch.sub: -1}


def compile_graph(graph: GraphModule, dtype: torch.dtype) -> tuple[Callable, dict[str, str]]:
    """See :func:`esr_kernels.backends.bind`."""
    constants = {n: _attribute(graph, n.target) for n in graph.graph.nodes if n.op == "get_attr"}
    taken = _worthwhile(_taken(graph.graph, constants), constants)
    levels = _levels(graph.graph, taken)
    modules: dict[str, Any] = dict(graph.named_modules())
    modules.update((n.target, constants[n]) for n in constants)
    whole = Graph()
    copy = {n: whole.node_copy(n) for n in graph.graph.nodes if n.op in ("placeholder", "get_attr")}
    for level in range(max(levels.values(), default=0) + 1):
        here = [n for n in graph.graph.nodes if levels.get(n) == level]
        for node in here:
            if node not in taken:
                copy[node] = whole.node_copy(node, copy.__getitem__)
        steps = [n for n in here if n in taken]
        if steps:
            modules[f"region_{level}"] = region = Region(steps, constants, dtype)
            call = whole.call_module(f"region_{level}", tuple(copy[n] for n in region.pictures))
            for i, node in enumerate(region.outputs):
                copy[node] = whole.call_function(operator.getitem, (call, i))
    result = next(n for n in graph.graph.nodes if n.op == "output")
    whole.output(map_arg(result.args[0], copy.__getitem__))
    for node in reversed(whole.nodes):  # constants that the regions hold
        if node.op == "get_attr" and not node.users:
            whole.erase_node(node)
    # An op outside the regions is dispatched by itself, to this backend too.
    where = {
        n.name: "cpu" if n in taken or _has_window(n, constants) else "reference"
        for n in graph.graph.nodes
        if n.op == "call_function"
    }
    return GraphModule(modules, whole).to(dtype), where


def _attribute(graph: GraphModule, target: str) -> Tensor:
    return operator.attrgetter(target)(graph)


def _op(node: Any) -> str | None:
    """The name of the op that a node calls, None for anything else."""
    if not isinstance(node, Node) or node.op != "call_function":
        return None
    if getattr(node.target, "namespace", None) != "esr_kernels":
        return None
    return node.target._schema.name.removeprefix("esr_kernels::")


def _shape(node: Node) -> tuple[int, ...]:
    """The node's shape for a test picture; () if it is no tensor."""
    return node.meta.get("shape", ())


def _taken(graph: Graph, constants: dict[Node, Tensor]) -> set[Node]:
    """The nodes that become steps: ops, the parts of spab's pair, and shifts of a picture.

    A program works at one resolution: the one at which most ops read.
    """
    taken: set[Node] = set()
    sizes = Counter(_shape(_first(n))[2:] for n in graph.nodes if _op(n))
    size = sizes.most_common(1)[0][0] if sizes else ()
    for node in graph.nodes:
        reads = [n for n in node.all_input_nodes if n not in constants]
        op = _op(node)
        if node.target is operator.getitem and _op(node.args[0]) == "spab":
            taken.update([node] if node.args[0] in taken else [])
            continue
        if not reads or any(_shape(n)[2:] != size for n in reads if n not in taken):
            continue
        fits = _fits(node, op, constants) if op else _shift(node, constants) is not None
        if fits and not any(n in taken and (not op or _op(n) == "pixel_shuffle") for n in reads):
            taken.add(node)
    return taken


def _worthwhile(taken: set[Node], constants: dict[Node, Tensor]) -> set[Node]:
    """Without the groups of connected nodes that are nothing but 1x1 convolutions and shifts: what
    they gain is less than it takes to lay their pictures out and back."""
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
        if any(_has_window(node, constants) for node in group):
            kept |= group
    return kept


def _has_window(node: Node, constants: dict[Node, Tensor]) -> bool:
    """Whether it is an op that reads more than one pixel for each of its own."""
    op = _op(node)
    weight = constants.get(node.args[1]) if op == "conv3x3_act" else None
    return op is not None and (weight is None or weight.shape[-1] > 1)


def _first(node: Node) -> Node:
    """The first activation that an op reads."""
    return node.args[0] if isinstance(node.args[0], Node) else node.args[0][0]


def _activations(node: Node, op: str) -> list[Node | None]:
    """What an op reads besides its weights."""
    if op == "conv3x3_act":
        return [*node.args[0], node.args[5]]
    return [node.args[0], node.args[4]] if op == "pixel_shuffle" else [node.args[0]]


def _fits(node: Node, op: str, constants: dict[Node, Tensor]) -> bool:
    if any(a in constants for a in _activations(node, op)):
        return False
    if op == "pixel_shuffle":
        return node.args[3] <= MAX_FACTOR and _weights_known(node.args[1:3], constants)
    if op == "conv3x3_act":
        few = 1 <= len(node.args[0]) <= MAX_SOURCES
        return few and _weights_known(node.args[1:3], constants)
    return op in LOWER and _weights_known(node.args[1:], constants)


def _weights_known(args: Sequence, constants: dict[Node, Tensor]) -> bool:
    return all(a is None or a in constants for a in args)


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
    """How many regions stand before each node, on the longest way to it."""
    levels: dict[Node, int] = {}
    for node in graph.nodes:
        if node.op in ("placeholder", "get_attr", "output"):
            continue
        levels[node] = max(
            (
                levels[n] + (n in taken and node not in taken)
                for n in node.all_input_nodes
                if n in levels
            ),
            default=0,
        )
    return levels


class Region(nn.Module):
    """Some op nodes of a graph, as one program.

    ``forward`` takes the tensors of ``pictures`` and returns those of ``outputs``, in ``dtype``;
    channels_last if its first input is.
    """

    def __init__(self, nodes: list[Node], constants: dict[Node, Tensor], dtype: torch.dtype):
        super().__init__()
        self.dtype = dtype
        self.pictures: list[Node] = []  # whose tensors the program reads, in its order
        self.outputs = [n for n in nodes if any(u not in nodes for u in n.users)]
        self.builder = Builder()
        values: dict[Node, Any] = {}
        for node in nodes:
            values[node] = self._step(node, values, constants)
        for node in self.outputs:
            value = values[node]
            self.builder.output(*(value if _op(node) == "pixel_shuffle" else (value,)))

    def _picture(self, node: Node, shift: Tensor | None = None) -> int:
        self.pictures.append(node)
        return self.builder.input(_shape(node)[1], shift)

    def _step(self, node: Node, values: dict[Node, Any], constants: dict[Node, Tensor]) -> Any:
        shift = _shift(node, constants)
        if shift is not None:
            return self._picture(node.args[0], shift)
        for read in node.all_input_nodes:
            if read not in values and read not in constants:
                values[read] = self._picture(read)
        args = map_arg(node.args, lambda n: constants[n] if n in constants else values[n])
        op = _op(node)
        if op is None:  # an element of spab's pair
            return args[0][args[1]]
        if op == "pixel_shuffle":
            x, weight, bias, factor, skip = args
            return self.builder.conv([x], weight, bias), factor, skip
        return LOWER[op](self.builder, *args)

    def forward(self, *pictures: Tensor) -> list[Tensor]:
        results = self.builder.run(pictures)
        like = pictures[0]
        if not like.is_contiguous() and like.is_contiguous(memory_format=torch.channels_last):
            results = [y.contiguous(memory_format=torch.channels_last) for y in results]
        return [y.to(self.dtype) for y in results]
