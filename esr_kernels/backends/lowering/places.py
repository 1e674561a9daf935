"""Which nodes of a graph become steps of which program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from torch import Tensor
from torch.fx import Graph, Node
from torch.fx.node import map_arg

from ...op import called_op, is_result
from .profit import losing, profitable
from .program import OpSet, Shape
from .shapes import outlined, shape_of
from .sizes import ONE, PICTURE, SHUFFLED, UNKNOWN, Place, Size, result_size
from .subgraph import shift_of
from .torch_part import lowered


def programs(
    graph: Graph, constants: dict[Node, Tensor], op_set: OpSet
) -> tuple[dict[Node, Place], dict[Node, Place]]:
    """Nodes that become steps (ops, elements of an op's results, and shifts of a picture), and all
    that could, whether that repays or not."""
    taken, saved, possible = _chosen(graph, constants, op_set, set())
    worse = losing(graph, possible, constants, op_set)
    without, more, _ = _chosen(graph, constants, op_set, worse) if worse else (taken, saved, {})
    return (without if more > saved else taken), possible


def _chosen(
    graph: Graph, constants: dict[Node, Tensor], op_set: OpSet, banned: set[Node]
) -> tuple[dict[Node, Place], float, dict[Node, Place]]:
    """The nodes that become steps, what that saves, and all that could become one; without those
    that are ``banned``."""
    while True:
        possible = _places(graph, constants, op_set, banned)
        taken, saved = profitable(graph, possible, constants, op_set)
        levels = levels_of(graph, taken)
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
            return taken, saved, possible
        banned = banned | torn


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
        rest = [n for n in graph.nodes if n not in places and lowered(n, op_set)]
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
    op = lowered(node, op_set)
    if op and reads and refusal(node, constants, op_set) is None:
        args = op.map_activations(node.args, size)
        args = map_arg(args, lambda weight: tuple(constants[weight].shape))
        read = op.activations_of(args)
        usable = UNKNOWN not in read if op_set.resizes else set(read) == {PICTURE}
        return result_size(op, args) if usable else None
    shifted = shift_of(node, constants) is not None and size(reads[0]) == PICTURE
    return PICTURE if shifted else None


def _first(node: Node) -> Node:
    """The first activation that an op reads."""
    return node.args[0] if isinstance(node.args[0], Node) else node.args[0][0]


def refusal(node: Node, constants: dict[Node, Tensor], op_set: OpSet) -> str | None:
    """Why programs cannot have an op of theirs, wherever it stands; None if they can."""
    op = called_op(node)
    if reason := op_set.refusal(op, outlined(node, constants)):
        return reason
    read = op.activations_of(node.args)
    if any(n not in constants for n in node.all_input_nodes if n not in read):
        return "its weights are computed"
    return "it reads a constant" if any(a in constants for a in read) else None


def levels_of(graph: Graph, taken: dict[Node, Place]) -> dict[Node, int]:
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
