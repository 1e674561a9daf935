"""Which of the nodes that programs can have are worth a program."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from torch import Tensor
from torch.fx import Graph, Node

from ...op import Op, called_op
from .program import OpSet, Part
from .shapes import outlined, shape_of
from .sizes import Place


def profitable(
    graph: Graph, possible: dict[Node, Place], constants: dict[Node, Tensor], op_set: OpSet
) -> tuple[dict[Node, Place], float]:
    """Drop what torch computes faster: whole groups of connected nodes. Also returns what the
    others save."""
    kept: set[Node] = set()
    saved = 0.0
    for group in _groups(possible):
        gain = gain_of(graph, group, constants, op_set)
        if gain > 0:
            kept |= group
            saved += gain
    return {node: place for node, place in possible.items() if node in kept}, saved


def gain_of(
    graph: Graph, group: Collection[Node], constants: dict[Node, Tensor], op_set: OpSet
) -> float:
    """The time that one program of these nodes saves."""
    reads = {n for node in group for n in node.all_input_nodes}.difference(group, constants)
    written = [node for node in group if any(user not in group for user in node.users)]
    border = [shape_of(node) for node in (*reads, *written)]
    parts = [_part(op, node, constants) for node in group if (op := called_op(node)) is not None]
    return op_set.gain(parts, border, _width(graph))


def losing(
    graph: Graph, possible: dict[Node, Place], constants: dict[Node, Tensor], op_set: OpSet
) -> set[Node]:
    """Nodes that torch computes faster even if all that they read and write is in the program."""
    width = _width(graph)
    ops = {node: op for node in possible if (op := called_op(node)) is not None}
    return {n for n, op in ops.items() if op_set.gain([_part(op, n, constants)], [], width) < 0}


def _width(graph: Graph) -> int:
    """Of the picture that the shapes of the graph are for."""
    inputs = [n for n in graph.find_nodes(op="placeholder") if len(shape_of(n)) == 4]
    return max((n.meta.get("network_width", shape_of(n)[-1]) for n in inputs), default=1)


def _part(op: Op, node: Node, constants: dict[Node, Tensor]) -> Part:
    # Of several results each is as large as what is read.
    made = shape_of(node) or shape_of(op.activations_of(node.args)[0])
    return Part(op, outlined(node, constants), made)


def _groups(taken: dict[Node, Place]) -> Iterator[set[Node]]:
    rest = dict.fromkeys(taken)
    while rest:
        group, edge = set(), [rest.popitem()[0]]
        while edge:
            node = edge.pop()
            group.add(node)
            for n in (*node.all_input_nodes, *node.users):
                if n in rest and taken[n].picture == taken[node].picture:
                    del rest[n]
                    edge.append(n)
        yield group
