"""A 1x1 convolution and the depthwise one that reads it become one ``depthwise_act``."""

from __future__ import annotations

from dataclasses import replace

from torch.fx import Graph

from ...ops import DEPTHWISE_ACT
from ..graph import bare_conv, depthwise_of, in_order, only_use, replace_with


def fuse_separable(graph: Graph) -> None:
    """``depthwise(conv1x1(x))``, the blueprint-separable convolution, where the 1x1 has one input,
    nothing after it, and no other reader.

    Over a concatenation the 1x1 stays by itself: it reads the parts, which the op cannot.
    """
    for node in in_order(graph, DEPTHWISE_ACT):
        depthwise = depthwise_of(node)
        (before,) = depthwise.inputs
        conv = bare_conv(before, 1)
        elsewhere = not only_use(before) or depthwise.residual is before
        if conv is None or elsewhere or depthwise.pointwise is not None:
            continue
        fused = replace(
            depthwise, inputs=conv.inputs, pointwise=conv.weight, pointwise_bias=conv.bias
        )
        replace_with(node, DEPTHWISE_ACT, fused.args, before)
        graph.erase_node(before)
