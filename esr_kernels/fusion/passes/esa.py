"""Enhanced spatial attention becomes one ``esa``."""

from __future__ import annotations

import operator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch.fx import Graph, Node

from ...ops import ESA
from ..graph import (
    Conv,
    bare_conv,
    calls,
    constant,
    in_order,
    only_use,
    paths,
    replace_with,
    sweep,
    value,
)

_TWICE = ((3, 3), None, (2, 2), (0, 0), (1, 1), 1)  # conv2: kernel, -, stride, padding, ...
_POOL = ((7, 7), (3, 3), (0, 0), (1, 1), False)


@dataclass(frozen=True)
class _Attention:
    weights: tuple  # w1 b1 wf bf w2 b2 w3 b3 w4 b4
    nodes: tuple[Node, ...]


def fuse_esa(graph: Graph) -> None:
    """``u * sigmoid(conv4(up(conv3(maxpool(conv2(a)))) + conv_f(a)))`` with ``a = conv1(u)``.

    Where there is no conv_f, and a itself is added, the op is given the identity for it. Kernels,
    strides and paddings are those of the op ``esa``; ``up`` is bilinear to the size of ``u`` or
    ``a`` (the same), however that size is written.
    """
    for node in in_order(graph, operator.mul):
        for u, gate in (node.args, node.args[::-1]):
            found = _match(u, gate)
            if found is not None:
                replace_with(node, ESA, (u, *found.weights), *found.nodes)
                break
    sweep(graph)


def _match(u, gate) -> _Attention | None:
    if not (isinstance(u, Node) and calls(gate, torch.sigmoid) and only_use(gate)):
        return None
    fourth = bare_conv(gate.args[0], 1)
    if fourth is None or not only_use(gate.args[0]):
        return None
    total = fourth.inputs[0]
    if not (calls(total, operator.add) and only_use(total)):
        return None
    for up, g in (total.args, total.args[::-1]):
        side = bare_conv(g, 1)
        if side is None:
            continue
        attention = _beside(u, up, g, side) if only_use(g) else _beside_nothing(u, up, g, total)
        if attention is not None:
            weights, nodes = attention
            return _Attention((*weights, fourth.weight, fourth.bias), (*nodes, gate.args[0]))
    return None


def _beside(u: Node, up, g: Node, side: Conv) -> tuple[tuple, tuple[Node, ...]] | None:
    """Weights of all but conv4, and the nodes, where ``g`` is conv_f(a)."""
    a = side.inputs[0]
    found = _pooled(u, up, a, g)
    if found is None:
        return None
    first, (weights, nodes) = bare_conv(a, 1), found
    return (first.weight, first.bias, side.weight, side.bias, *weights), (*nodes, g)


def _beside_nothing(u: Node, up, a: Node, total: Node) -> tuple[tuple, tuple[Node, ...]] | None:
    """The same where a itself is added to the enlarged map."""
    found = _pooled(u, up, a, total)
    if found is None:
        return None
    first, (weights, nodes) = bare_conv(a, 1), found
    hidden = value(first.weight).shape[0]
    eye = torch.eye(hidden, dtype=torch.float64)[:, :, None, None]
    with a.graph.inserting_before(total):
        identity = constant(a.graph, eye, f"{paths(a)[-1]}.identity")
    return (first.weight, first.bias, identity, None, *weights), nodes


def _pooled(u: Node, up, a: Node, side: Node) -> tuple[tuple, tuple[Node, ...]] | None:
    """Weights of conv2 and conv3 and the nodes, if ``up`` is ``u``'s pooled branch through a, which
    nothing reads but that branch and ``side``."""
    first = bare_conv(a, 1)
    if first is None or first.inputs[0] is not u or not _enlarged(up, {u, a, side}):
        return None
    third = bare_conv(up.args[0], 3)
    if third is None or not only_use(up.args[0]):
        return None
    pool = third.inputs[0]
    if not (calls(pool, torch.max_pool2d) and only_use(pool) and pool.args[1:] == _POOL):
        return None
    strided = pool.args[0]
    if not (calls(strided, torch.conv2d) and only_use(strided) and strided.args[0] is a):
        return None
    weight, bias, *shape = strided.args[1:]
    kernel, fixed_bias = value(weight), bias is None or value(bias) is not None
    if kernel is None or not fixed_bias or (tuple(kernel.shape[2:]), None, *shape) != _TWICE:
        return None
    readers = {user for user in a.users if not _asks_size(user)}
    if readers != {side, strided}:
        return None
    return (weight, bias, third.weight, third.bias), (a, strided, up.args[0])


def _enlarged(up, like: set[Node]) -> bool:
    if not (calls(up, F.interpolate) and only_use(up)):
        return False
    _, size, factor, mode, align_corners = up.args
    return mode == "bilinear" and not align_corners and factor is None and _is_size(size, like)


def _asks_size(node: Node) -> bool:
    asks = node.op == "call_method" and node.target == "size"
    return asks or (node.target is getattr and node.args[1] == "shape")


def _is_size(size, like: set[Node]) -> bool:
    """Return true if ``size`` is written as height and width of one of these tensors."""
    if isinstance(size, tuple | list):
        return len(size) == 2 and _is_dim(size[0], like, 2) and _is_dim(size[1], like, 3)
    if not calls(size, operator.getitem):
        return False
    whole, part = size.args
    return _is_whole(whole, like) and part in (slice(2, None, None), slice(-2, None, None))


def _is_dim(node, like: set[Node], dim: int) -> bool:
    if calls(node, operator.getitem):
        return _is_whole(node.args[0], like) and node.args[1] in (dim, dim - 4)
    if isinstance(node, Node) and node.op == "call_method" and node.target == "size":
        return node.args[0] in like and node.args[1:] in ((dim,), (dim - 4,))
    return False


def _is_whole(node, like: set[Node]) -> bool:
    asked = isinstance(node, Node) and _asks_size(node) and node.args[0] in like
    return asked and node.args[1:] in ((), ("shape",))
