"""A 3x3 convolution without activation, then a 1x1: the product of their matrices is one 3x3."""

from __future__ import annotations

import torch
from torch.fx import Graph, Node

from ...ops import CONV_ACT
from ..graph import Conv, constant, conv_of, in_order, only_use, paths, replace_with, shape, value


def merge_linear(graph: Graph) -> None:
    """``conv1x1(cat(..., conv3x3(d), ...))`` becomes ``conv3x3'(d) + conv1x1'(the others)``.

    With ``W`` the 1x1's columns for that part, ``W' = W W3`` and ``b' = b + W b3``, in float64.
    Exact at the borders, because the 1x1 comes after the padding. (The other way round it is not:
    a bias before the padding is missing in the padded ring.) Not done where it costs more.
    """
    for node in in_order(graph, CONV_ACT):
        outer = conv_of(node, 1)
        if outer is None or not outer.bare:
            continue
        for index, part in enumerate(outer.inputs):
            inner = conv_of(part, 3)
            alone = inner and inner.bare and only_use(part) and outer.inputs.count(part) == 1
            if alone and _profitable(outer, inner):
                _merge(node, outer, index, inner)
                break


def _profitable(outer: Conv, inner: Conv) -> bool:
    out, middle = value(outer.weight).shape[0], value(inner.weight).shape[0]
    into = value(inner.weight).shape[1]
    return 9 * out * into <= 9 * middle * into + out * middle


def _merge(node: Node, outer: Conv, index: int, inner: Conv) -> None:
    graph, part = node.graph, outer.inputs[index]
    w, w3 = value(outer.weight).flatten(1), value(inner.weight)
    start = sum(shape(x)[1] for x in outer.inputs[:index])
    columns = slice(start, start + w3.shape[0])
    weight = torch.einsum("om,miyx->oiyx", w[:, columns], w3)
    bias = _bias(outer, inner, w[:, columns])
    rest = outer.inputs[:index] + outer.inputs[index + 1 :]
    path = paths(node)[-1]
    with graph.inserting_before(node):
        residual = None
        if rest:
            others = torch.cat([w[:, : columns.start], w[:, columns.stop :]], 1)[..., None, None]
            args = Conv(rest, constant(graph, others, f"{path}.others"), None).args
            residual = graph.call_function(CONV_ACT, args)
            residual.meta.update(node.meta, paths=paths(node))
        merged = Conv(
            inner.inputs,
            constant(graph, weight, f"{path}.weight"),
            constant(graph, bias, f"{path}.bias"),
            residual=residual,
        )
    replace_with(node, CONV_ACT, merged.args, part)
    graph.erase_node(part)


def _bias(outer: Conv, inner: Conv, w: torch.Tensor) -> torch.Tensor | None:
    terms = []
    if outer.bias is not None:
        terms.append(value(outer.bias))
    if inner.bias is not None:
        terms.append(w @ value(inner.bias))
    return sum(terms) if terms else None
