"""A fused graph on this backend: node by node, with channels_last between the ends."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection

import torch
from torch import Tensor
from torch.fx import Graph, GraphModule, Node
from torch.fx.node import map_arg

from ...op import Op, called_op
from ..contract import REFERENCE, Assignment, Compiled
from ..layout import memory_format
from .ops.conv3x3_pixel_shuffle import conv3x3_pixel_shuffle


def compile_graph(
    graph: GraphModule,
    dtype: torch.dtype,
    computed: Collection[str],
    takes: Callable[[Op, tuple], bool],
) -> Compiled:
    """See :func:`esr_kernels.backends.bind`. ``computed``: names of the ops that have kernels.
    ``takes``: whether one has a kernel for arguments, among which tensors that no weights are stay
    nodes.

    Results have the memory format of the first input; where the graph ends in
    ``conv3x3_pixel_shuffle``, its kernel writes the picture in that format.
    """

    def weight(node: Node):
        return operator.attrgetter(str(node.target))(graph) if node.op == "get_attr" else node

    def assigned(node: Node, call: str) -> Assignment:
        op = called_op(node)
        if op is None or op.name not in computed:
            return Assignment(call)
        if takes(op, map_arg(node.args, weight)):
            return Assignment(call, "triton")
        return Assignment(call, REFERENCE, "there is no kernel for its arguments")

    ended, calls = _with_ends(graph.graph)
    compiled = GraphModule(graph, ended).to(dtype)
    assignments = {node.name: assigned(node, call) for node, call in calls.items()}
    return Compiled(compiled, compiled, assignments, channels_last=True)


def _with_ends(graph: Graph) -> tuple[Graph, dict[Node, str]]:
    """A copy of the graph that changes the memory format of what comes in and goes out, and the
    names of the nodes there that do the work of those here."""
    ended = Graph()
    copy: dict[Node, Node] = {}
    calls: dict[Node, str] = {}
    inputs = [ended.node_copy(node) for node in graph.nodes if node.op == "placeholder"]
    for node in graph.nodes:
        if node.op == "placeholder":
            copy[node] = ended.call_function(_channels_last, (inputs[len(copy)],))
        elif node.op == "output":
            for result in node.all_input_nodes:
                made = copy[result]
                copy[result] = _formatted(ended, made, inputs[0])
                if copy[result].target is _tail:  # which computes it anew
                    ended.erase_node(made)
                    calls[result] = copy[result].name
            ended.output(map_arg(node.args[0], copy.__getitem__))
        else:
            copy[node] = ended.node_copy(node, copy.__getitem__)
            calls[node] = copy[node].name
    return ended, calls


def _formatted(graph: Graph, result: Node, like: Node) -> Node:
    """The node's result in the memory format of ``like``."""
    op = called_op(result)
    if op and op.name == "conv3x3_pixel_shuffle" and not result.users:
        return graph.call_function(_tail, (*result.args, like))
    return graph.call_function(_in_format, (result, like))


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _in_format(y: Tensor, like: Tensor) -> Tensor:
    return y.contiguous(memory_format=memory_format(like)) if y.dim() == 4 else y


def _tail(x, weight, bias, upscale_factor, skip, like: Tensor) -> Tensor:
    expected = (x.shape[0], weight.shape[0] // upscale_factor**2, *x.shape[2:])
    if skip is not None and skip.shape != expected:
        raise ValueError(f"skip has shape {list(skip.shape)}, expected {list(expected)}")
    return conv3x3_pixel_shuffle(x, weight, bias, upscale_factor, skip, like)
