"""Which nodes of a graph share memory, who writes into it, and the order that follows from that.

A graph orders by data flow. Code orders by lines as well: what is written through one name is read
through another. A *writer* is a node that may write into its arguments: a module that runs as it
is, and a call in place that could not be turned into a new value. All that reads or writes the
same memory keeps its place before or behind it.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn
from torch.fx import Graph, Node

from ..op import called_op
from ..ops import OPS
from .arithmetic import FORMULA_WORDS
from .factories import MADE
from .graph import calls, writes

# What makes memory of its own, under whichever of torch's names it has.
_MAKING = frozenset(
    {"add", "sub", "mul", "div", "neg", "abs", "pow", "sqrt", "exp", "log", "sin", "cos", "tanh"}
    | {"relu", "sigmoid", "softmax", "clamp", "mean", "sum", "amax", "amin", "matmul", "bmm"}
    | {"clone", "cat", "stack", "roll", "flip", "repeat", "repeat_interleave", "masked_fill"}
    | {"gather", "index_select", "where", "argsort", "eq", "ne", "lt", "le", "gt", "ge", "conv2d"}
    | {"pixel_shuffle", "pixel_unshuffle", "max_pool2d", "var", "std", "cumsum"}
)
#: Functions whose result never shares memory with an argument.
_FRESH: frozenset[Callable] = frozenset(
    {getattr(torch, name) for name in _MAKING if hasattr(torch, name)}
    | {F.interpolate, F.softmax, F.pad, F.avg_pool2d, F.linear, F.unfold, F.fold}
    | {F.batch_norm, F.layer_norm, F.group_norm, operator.matmul, operator.pow, operator.neg}
    | {operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge}
    | set(FORMULA_WORDS)
    | set(MADE.values())
    | set(OPS)
)
#: Of methods, those and the questions.
_FRESH_METHODS = _MAKING | {"size", "dim"}
_FRESH_MODULES = (
    *(nn.modules.conv._ConvNd, nn.modules.batchnorm._NormBase, nn.Linear, nn.PixelShuffle),
    *(nn.LayerNorm, nn.GroupNorm, nn.AvgPool2d, nn.MaxPool2d, nn.Upsample, nn.PReLU),
)
#: Whether their result shares memory depends on how the argument lies there.
_BY_LAYOUT = frozenset({"contiguous", "reshape", "reshape_as", "flatten", "ravel", "to"})
#: Change what a tensor is, not only its values.
_RESHAPING = frozenset(
    {"resize_", "set_", "as_strided_", "squeeze_", "unsqueeze_", "transpose_", "t_"}
    | {"swapaxes_", "swapdims_", "requires_grad_", "resize_as_", "swap_dims_"}
)


def is_fresh_module(module: nn.Module) -> bool:
    """Return true for a module of torch whose result is memory of its own."""
    return isinstance(module, _FRESH_MODULES) and type(module).__module__.startswith("torch.nn")


def is_fresh(node: Node) -> bool:
    """Return true if the node's result is memory of its own, that no other node has had."""
    if writes(node):
        return False
    if node.op == "call_module":
        return node.meta.get("fresh", False)
    if node.op == "call_method":
        return node.target in _FRESH_METHODS
    return calls(node, *_FRESH) or called_op(node) is not None or node.target is getattr


def written_in_place(node: Node) -> str | None:
    """The name of a call that writes into its first argument, None for any other."""
    name = getattr(node.target, "__name__", str(node.target))
    if node.target is operator.setitem or (name.endswith("_") and not name.endswith("__")):
        return name
    if node.op == "call_function" and getattr(node.target, "__module__", "") == F.__name__:
        try:
            given = inspect.signature(node.target).bind(*node.args, **node.kwargs).arguments
        except (TypeError, ValueError):
            return None
        return name if given.get("inplace") is True else None
    return name if node.target in _AUGMENTED else None


_AUGMENTED = frozenset(
    {operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ipow, operator.imod}
    | {operator.ifloordiv}
)


def changes_shape(name: str) -> bool:
    """Return true for a call in place after which a tensor is another one."""
    return name in _RESHAPING


def storages(graph: Graph) -> dict[Node, Node]:
    """Node -> one that stands for all that may share memory with it.

    The inputs may be one tensor, or parts of one.
    """
    parent: dict[Node, Node] = {}

    def find(node: Node) -> Node:
        while parent[node] is not node:
            node = parent[node]
        return node

    inputs = graph.find_nodes(op="placeholder")
    for node in graph.nodes:
        parent[node] = node
        if node.op == "placeholder":
            parent[node] = find(inputs[0])
        elif node.op != "output" and not is_fresh(node):
            for other in node.all_input_nodes:
                parent[find(other)] = find(node)
    return {node: find(node) for node in parent}


def _written_calls(graph: Graph) -> list[Node]:
    """The calls in place that stayed."""
    return [n for n in graph.nodes if writes(n) and n.op != "call_module"]


def shared_by_layout(graph: Graph) -> str | None:
    """Why a write in place cannot be kept: the name of an earlier call that shares what is written,
    or not, depending on how it lies in memory. None where there is none."""
    storage = storages(graph)
    shared: dict[Node, str] = {}
    for node in graph.nodes:
        name = getattr(node.target, "__name__", str(node.target))
        if writes(node) and node.op != "call_module" and storage[node.args[0]] in shared:
            return shared[storage[node.args[0]]]
        if name in _BY_LAYOUT:
            shared[storage[node]] = name
    return None


def written_constant(graph: Graph) -> bool:
    """Return true if something writes in place into the module's own tensors."""
    storage = storages(graph)
    own = {storage[n] for n in graph.nodes if n.op == "get_attr"}
    return any(storage[n.args[0]] in own for n in _written_calls(graph))


def writes_input(graph: Graph) -> bool:
    """Return true if something may write into the graph's inputs."""
    storage = storages(graph)
    inputs = {storage[n] for n in graph.nodes if n.op == "placeholder"}
    return any(writes(n) and storage[n] in inputs for n in graph.nodes)


def note_order(graph: Graph) -> None:
    """Notes in ``meta["after"]`` of each node what has to run before it though it does not read it.

    Backends that put nodes in another order keep to it.
    """
    storage = storages(graph)
    writer: dict[Node, Node] = {}  # storage -> the last that wrote
    readers: dict[Node, list[Node]] = {}  # and who has touched it since
    for node in graph.nodes:
        touched = {storage[n] for n in (node, *node.all_input_nodes)}
        before = [writer[s] for s in touched if s in writer]
        for s in touched:
            if writes(node):
                before += readers.pop(s, [])
                writer[s] = node
            else:
                readers.setdefault(s, []).append(node)
        node.meta["after"] = list(dict.fromkeys(before))
