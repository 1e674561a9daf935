"""Which of the nodes that programs can have are worth a program."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor
from torch.fx import Graph, Node

from ...op import Op, called_op
from .program import OpSet, Part
from .shapes import outlined, shape_of
from .sizes import Place


def profitable(
    graph: Graph, taken: dict[Node, Place], constants: dict[Node, Tensor], op_set: OpSet
) -> dict[Node, Place]:
    """Drop what torch computes faster: whole groups of connected nodes."""
    groups = [group for group in _groups(taken) if gains(graph, group, constants, op_set)]
    kept = set().union(*groups)
    return {node: place for node, place in taken.items() if node in kept}


def gains(graph: Graph, group: set[Node], constants: dict[Node, Tensor], op_set: OpSet) -> bool:
    """Return true if one program of these nodes is faster than torch."""
    inputs = [n for n in graph.find_nodes(op="placeholder") if len(shape_of(n)) == 4]
    width = max((n.meta.get("network_width", shape_of(n)[-1]) for n in inputs), default=1)
    reads = {n for node in group for n in node.all_input_nodes} - group - constants.keys()
    written = [node for node in group if any(user not in group for user in node.users)]
    border = [shape_of(node) for node in (*reads, *written)]
    parts = [_part(op, node, constants) for node in group if (op := called_op(node)) is not None]
    return op_set.gains(parts, border, width)


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
