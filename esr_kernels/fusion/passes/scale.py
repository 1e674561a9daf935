"""Constant factors and offsets go into the weights of a neighbouring convolution."""

from __future__ import annotations

import operator

import torch
from torch import Tensor
from torch.fx import Graph, Node

from ..graph import (
    calls,
    constant,
    conv_of,
    filter_of,
    in_order,
    only_use,
    replace_with,
    shape,
    sweep,
    value,
    with_weights,
)

_ARITHMETIC = (operator.add, operator.sub, operator.mul, operator.truediv)


def fold_scale(graph: Graph) -> None:
    """``conv(s * x)``, ``s * conv(x)`` and ``conv(x) + c``, also through a pixel shuffle.

    ``s`` and ``c`` are numbers or one value per channel. A factor before the convolution is exact
    with zero padding. An offset before it is not (the padded ring has none), so it stays, in one
    form: ``x - c`` with ``c`` of shape ``[1, C, 1, 1]``.
    """
    for node in reversed(list(in_order(graph, *_ARITHMETIC))):  # of a chain, the nearest first
        _fold_before(node)
    for node in in_order(graph, *_ARITHMETIC):
        if not _fold_behind(node):
            _as_shift(node)
    sweep(graph)


def _operands(node: Node) -> tuple[Node, Tensor] | None:
    """The tensor and the constant of ``x * s`` and the like, ``s`` as ``[1 or C]``."""
    a, b = node.args
    commutes = node.target in (operator.add, operator.mul)
    if commutes and (not isinstance(a, Node) or value(a) is not None):
        a, b = b, a
    if shape(a) is None or value(a) is not None or shape(a) != shape(node) or len(shape(a)) != 4:
        return None
    if isinstance(b, bool) or not isinstance(b, int | float | Node):
        return None
    s = value(b) if isinstance(b, Node) else torch.tensor([float(b)], dtype=torch.float64)
    if s is None:
        return None
    s = s.double()
    if s.numel() != 1:
        per_channel = s.dim() >= 3 and s.shape[-2:] == (1, 1) and s.numel() == shape(a)[1]
        if not per_channel or s.shape[-3] != shape(a)[1]:
            return None
    return a, s.flatten()


def _fold_behind(node: Node) -> bool:
    """Into the convolution whose result the node scales or shifts."""
    found = _operands(node)
    if found is None:
        return False
    x, s = found
    shuffled = calls(x, torch.pixel_shuffle) and only_use(x)
    source = x.args[0] if shuffled else x
    conv = filter_of(source)
    if conv is None or not conv.bare or not only_use(source):
        return False
    weight, bias = value(conv.weight), value(conv.bias)
    s = s.expand(shape(x)[1])
    if shuffled:
        s = s.repeat_interleave(len(weight) // len(s))
    if node.target in (operator.mul, operator.truediv):
        s = 1 / s if node.target is operator.truediv else s
        weight = weight * s.view(-1, 1, 1, 1)
        bias = None if bias is None else bias * s
    else:
        s = -s if node.target is operator.sub else s
        bias = s.clone() if bias is None else bias + s
    with node.graph.inserting_before(source):
        conv = with_weights(node.graph, conv, weight, bias, source)
    source.args = conv.args
    node.replace_all_uses_with(x)
    node.graph.erase_node(node)
    return True


def _fold_before(node: Node) -> None:
    """Into the convolutions that read the scaled tensor, if nothing else does."""
    found = _operands(node) if node.target in (operator.mul, operator.truediv) else None
    if found is None or not node.users:
        return
    x, s = found
    convs = {user: _reads(user, node) for user in node.users}
    if None in convs.values():
        return
    s = 1 / s if node.target is operator.truediv else s
    for user, conv in convs.items():
        weight = value(conv.weight) * s.view(1, -1, 1, 1)
        with node.graph.inserting_before(user):
            conv = with_weights(node.graph, conv, weight, value(conv.bias), user)
        user.args = conv.args
    node.replace_all_uses_with(x)
    node.graph.erase_node(node)


def _reads(user: Node, node: Node):
    conv = conv_of(user)
    return conv if conv and conv.inputs == (node,) and conv.residual is not node else None


def _as_shift(node: Node) -> None:
    """Only where convolutions read it: elsewhere (a gate's -1/2) it means something else."""
    found = _operands(node) if node.target in (operator.add, operator.sub) else None
    if found is None or not all(_reads(user, node) for user in node.users):
        return
    x, s = found
    s = -s if node.target is operator.add else s
    with node.graph.inserting_before(node):
        c = constant(node.graph, s.expand(shape(x)[1]).reshape(1, -1, 1, 1).clone(), "shift")
    replace_with(node, operator.sub, (x, c))
