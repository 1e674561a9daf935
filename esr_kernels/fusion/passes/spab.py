"""Three convolutions and the gate become one ``spab``."""

from __future__ import annotations

import operator

from torch.fx import Graph, Node

from ...ops import CONV_ACT, SPAB
from ..graph import Conv, conv_of, in_order, only_use, paths, replace_with, sweep


def fuse_spab(graph: Graph) -> None:
    """``conv3x3 -> silu -> conv3x3 -> silu -> conv3x3 -> gate`` with the block's own input.

    The first hidden map may be read elsewhere too: the op returns it.
    """
    for node in in_order(graph, CONV_ACT):
        third = conv_of(node, 3)
        if third is None or third.act != "span_gate" or len(third.inputs) != 1:
            continue
        v, second = _hidden(third)
        t, first = _hidden(second)
        if first is None or first.inputs[0] is not third.residual or not only_use(v):
            continue
        _replace(node, v, t, (first, second, third))


def _hidden(after: Conv | None) -> tuple[Node | None, Conv | None]:
    """The activated map that a convolution reads, and the convolution that makes it."""
    if after is None:
        return None, None
    node = after.inputs[0]
    conv = conv_of(node, 3)
    fits = conv and conv.act == "silu" and conv.residual is None and len(conv.inputs) == 1
    return (node, conv) if fits else (None, None)


def _replace(gate: Node, v: Node, t: Node, convs: tuple[Conv, Conv, Conv]) -> None:
    graph = gate.graph
    weights = [w for conv in convs for w in (conv.weight, conv.bias)]
    # In the place of t, the earliest of the results: later constants are moved there first.
    for w in weights:
        if w is not None and t < w:
            t.prepend(w)
    with graph.inserting_before(t):
        pair = graph.call_function(SPAB, (convs[0].inputs[0], *weights))
    pair.meta["paths"] = paths(t, v, gate)
    for index, old in ((0, gate), (1, t)):
        new = replace_with(old, operator.getitem, (pair, index))
        new.meta.pop("paths")  # the op does their work
    sweep(graph)
