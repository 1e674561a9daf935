"""Fuse epilogues that read a second tensor: SPAB's gate and residual sums."""

from __future__ import annotations

import operator
from dataclasses import replace

import torch
from torch.fx import Graph, Node

from ..graph import calls, filter_of, in_order, only_use, replace_with, shape, sweep


def fuse_gate(graph: Graph) -> None:
    """``(y + u) * (sigmoid(y) - 1/2)`` with ``y`` a convolution, its terms in any order."""
    for node in in_order(graph, operator.mul):
        for total, attention in (node.args, node.args[::-1]):
            sigmoid = _centred_sigmoid(attention)
            y = sigmoid.args[0] if sigmoid else None
            u = _other_term(total, y)
            if u is None or not only_use(total) or set(y.users) != {total, sigmoid}:
                continue
            fused = replace(filter_of(y), act="span_gate", residual=u)
            replace_with(node, fused.target, fused.args, y)
            break
    sweep(graph)


def _centred_sigmoid(attention) -> Node | None:
    """The sigmoid of ``sigmoid(y) - 1/2`` with ``y`` a convolution and nothing more; else None."""
    if not (calls(attention, operator.sub, operator.add) and only_use(attention)):
        return None
    a, b = attention.args
    if attention.target is operator.add and not isinstance(a, Node):
        a, b = b, a
    half = 0.5 if attention.target is operator.sub else -0.5
    if not (calls(a, torch.sigmoid) and only_use(a) and b == half):
        return None
    conv = filter_of(a.args[0])
    return a if conv and conv.bare else None


def _other_term(total, y: Node | None) -> Node | None:
    if y is None or not calls(total, operator.add) or y not in total.args:
        return None
    u = total.args[1] if total.args[0] is y else total.args[0]
    return u if u is not y and shape(u) == shape(y) else None


def fuse_residual(graph: Graph) -> None:
    """``act(conv(x)) + r``, where ``r`` is computed from elsewhere and has the same shape."""
    for node in in_order(graph, operator.add):
        # Of two convolutions the later one: the other's result is there when it runs.
        for y, r in _latest_first(node.args):
            conv = filter_of(y)
            if conv is None or conv.residual is not None or not only_use(y) or r is y:
                continue
            if shape(r) is None or shape(r) != shape(y):
                continue
            fused = replace(conv, residual=r)
            replace_with(node, fused.target, fused.args, y)
            graph.erase_node(y)
            break


def _latest_first(terms: tuple) -> list[tuple[Node, Node]]:
    if not all(isinstance(t, Node) for t in terms):
        return []
    a, b = terms
    return [(a, b), (b, a)] if b < a else [(b, a), (a, b)]
