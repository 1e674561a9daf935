"""Graph helpers that the passes share.

A *constant* is a ``get_attr`` node whose float64 tensor stands in ``meta["value"]``. Nodes of ops
carry ``meta["paths"]``, the modules whose work they do, and every tensor node of the normalised
graph has the shape that the test picture gives it in ``meta["shape"]``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.fx import Graph, GraphModule, Node
from torch.fx.node import map_arg

from ..op import Op
from ..ops import CONV_ACT, DEPTHWISE_ACT, DIRECT_CONV_ACT


def value(node: Any) -> Tensor | None:
    """The tensor of a constant node, None for anything else."""
    return node.meta.get("value") if isinstance(node, Node) and node.op == "get_attr" else None


def constant(graph: Graph, tensor: Tensor | None, name: str) -> Node | None:
    """A new constant at the graph's insertion point; None stays None."""
    if tensor is None:
        return None
    node = graph.create_node("get_attr", name, (), {})
    node.meta.update(value=tensor.detach(), path=name.rpartition(".")[0])
    return node


def shape(node: Any) -> tuple[int, ...] | None:
    """The node's shape for the test picture, None if it is no tensor."""
    return node.meta.get("shape") if isinstance(node, Node) else None


def shapes(node: Node) -> tuple:
    """Arguments of an op's node with shapes for the test picture in the place of tensors."""

    def shape_of(n: Node) -> tuple[int, ...] | None:
        return shape(n) if value(n) is None else tuple(n.meta["value"].shape)

    return map_arg(node.args, shape_of)


def paths(*nodes: Node) -> tuple[str, ...]:
    """The modules whose work these nodes do, in order."""
    found = (path for n in nodes for path in n.meta.get("paths", (n.meta.get("path", ""),)))
    return tuple(dict.fromkeys(found))


def only_use(node: Any) -> bool:
    """Return true if exactly one other node reads this one."""
    return isinstance(node, Node) and len(node.users) == 1


def calls(node: Any, *targets: Callable) -> bool:
    """Return true if the node calls one of these functions and writes into no argument."""
    called = isinstance(node, Node) and node.op == "call_function" and node.target in targets
    return called and not writes(node)


def writes(node: Node) -> bool:
    """Return true for a node that may write into its arguments."""
    return node.meta.get("writes", False)


@dataclass(frozen=True)
class Conv:
    """A convolution's node taken apart: its schema arguments."""

    target: ClassVar[Op] = CONV_ACT

    inputs: tuple[Node, ...]
    weight: Node
    bias: Node | None
    act: str = "none"
    slope: float = 0.0
    residual: Node | None = None

    @property
    def args(self) -> tuple:
        return (list(self.inputs), self.weight, self.bias, self.act, self.slope, self.residual)

    @property
    def kernel(self) -> int:
        return value(self.weight).shape[-1]

    @property
    def bare(self) -> bool:
        """Nothing after the convolution yet."""
        return self.act == "none" and self.residual is None


@dataclass(frozen=True)
class Depthwise(Conv):
    """A depthwise convolution's node taken apart; ``inputs`` holds the one that it reads."""

    target: ClassVar[Op] = DEPTHWISE_ACT

    pointwise: Node | None = None
    pointwise_bias: Node | None = None
    dilation: int = 1
    padding_mode: str = "zeros"

    @property
    def args(self) -> tuple:
        (x,) = self.inputs
        epilogue = self.act, self.slope, self.residual
        before = self.pointwise, self.pointwise_bias
        taps = self.dilation, self.padding_mode
        return (x, self.weight, self.bias, *epilogue, *before, *taps)


@dataclass(frozen=True)
class DirectConv(Conv):
    """A node of a convolution of another size, dilated or in groups, taken apart."""

    target: ClassVar[Op] = DIRECT_CONV_ACT

    dilation: int = 1
    groups: int = 1

    @property
    def args(self) -> tuple:
        return (*super().args, self.dilation, self.groups)


def spread_of(
    kernel: Tensor, padding: tuple[int, int] | str, dilation: tuple[int, int]
) -> int | None:
    """The one dilation of a convolution whose zero padding keeps the size; None for any other."""
    sizes = kernel.shape[2:]
    reach = tuple(d * (k // 2) for d, k in zip(dilation, sizes, strict=True))
    spreads = {d for d, k in zip(dilation, sizes, strict=True) if k > 1} or {1}
    kept = padding in (reach, "same") and all(k % 2 for k in sizes)
    return spreads.pop() if kept and len(spreads) == 1 else None


def conv_of(node: Any, kernel: int | None = None) -> Conv | None:
    """The node as a ``Conv`` if it is one (of that kernel size)."""
    if not calls(node, CONV_ACT):
        return None
    inputs, *rest = node.args
    conv = Conv(tuple(inputs), *rest)
    return conv if kernel in (None, conv.kernel) else None


def depthwise_of(node: Any) -> Depthwise | None:
    """The node as a ``Depthwise`` if it is one."""
    if not calls(node, DEPTHWISE_ACT):
        return None
    x, *rest = node.args
    return Depthwise((x,), *rest)


def direct_conv_of(node: Any) -> DirectConv | None:
    """The node as a ``DirectConv`` if it is one."""
    if not calls(node, DIRECT_CONV_ACT):
        return None
    inputs, *rest = node.args
    return DirectConv(tuple(inputs), *rest)


def filter_of(node: Any) -> Conv | None:
    """The node as whichever ``Conv`` it is: what has weight and epilogue."""
    return conv_of(node) or depthwise_of(node) or direct_conv_of(node)


def bare_conv(node: Any, kernel: int) -> Conv | None:
    """The node as a ``Conv`` of one input with nothing after it, if it is one."""
    conv = conv_of(node, kernel)
    return conv if conv and conv.bare and len(conv.inputs) == 1 else None


def with_weights(graph: Graph, conv: Conv, weight: Tensor, bias: Tensor | None, like: Node) -> Conv:
    """The convolution with new constants, made at the graph's insertion point."""
    path = paths(like)[-1]
    return replace(
        conv,
        weight=constant(graph, weight, f"{path}.weight"),
        bias=constant(graph, bias, f"{path}.bias"),
    )


def replace_with(old: Node, target: Callable, args: tuple, *absorbed: Node) -> Node:
    """Puts a call in the place of ``old``; it also does the work of the ``absorbed`` nodes."""
    graph = old.graph
    with graph.inserting_before(old):
        new = graph.call_function(target, args)
    new.meta.update(old.meta)
    new.meta["paths"] = paths(*absorbed, old)
    old.replace_all_uses_with(new)
    graph.erase_node(old)
    return new


def sweep(graph: Graph) -> None:
    """Removes every node whose result nobody reads, and that writes nothing either."""
    for node in reversed(list(graph.nodes)):
        if not (node.users or writes(node) or node.op in ("output", "placeholder")):
            graph.erase_node(node)


def duplicate(graph: Graph) -> Graph:
    """A copy of the nodes; constants share their tensors."""
    twin = Graph()
    twin.output(twin.graph_copy(graph, {}))
    return twin


def execute(graph: Graph, modules: Any, *inputs: Tensor, note_shapes: bool = False) -> Any:
    """Runs the graph node by node, its ``call_module`` nodes from ``modules``.

    Constants take part in the dtype of the first input.
    """
    results: dict[Node, Any] = {}
    given = iter(inputs)

    def known(n: Node) -> Any:
        return results[n]

    for node in graph.nodes:
        args, kwargs = map_arg(node.args, known), map_arg(node.kwargs, known)
        if node.op == "output":
            return args[0]
        if node.op == "placeholder":
            result = next(given)
        elif node.op == "get_attr":
            result = _as_read(node, inputs[0].dtype)
        elif node.op == "call_module":
            result = modules.get_submodule(node.target)(*args, **kwargs)
        elif node.op == "call_method":
            result = getattr(args[0], node.target)(*args[1:], **kwargs)
        else:
            result = node.target(*args, **kwargs)
        results[node] = result
        if note_shapes and isinstance(result, Tensor):
            node.meta["shape"] = tuple(result.shape)
    raise ValueError("the graph has no output node")


def _as_read(constant: Node, dtype: torch.dtype) -> Tensor:
    tensor = constant.meta["value"]
    if any(map(writes, constant.users)):
        tensor = tensor.clone()
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


def in_order(graph: Graph, *targets: Callable) -> Iterator[Node]:
    """The nodes that call one of these functions, as they are at the time of asking."""
    return (node for node in list(graph.nodes) if calls(node, *targets))


def to_module(graph: Graph, modules: dict[str, nn.Module]) -> GraphModule:
    """The graph as a module: constants become float64 buffers, ``call_module`` targets are given.

    The nodes are renamed in place.
    """
    root = nn.Module()
    taken: dict[str, int] = {}
    for node in graph.nodes:
        if node.op not in ("get_attr", "call_module"):
            continue
        name = node.target.replace(".", "_") or "constant"
        if node.op == "call_module":
            name = f"torch_{name}"
            root.add_module(name, modules[node.target])
        else:
            taken[name] = taken.get(name, 0) + 1
            name += f"_{taken[name]}" if taken[name] > 1 else ""
            root.register_buffer(name, node.meta["value"])
        node.target = name
    return GraphModule(root, graph)
