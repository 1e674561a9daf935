"""A convolution, or a depthwise one, and its activation become one op."""

from __future__ import annotations

from dataclasses import replace

import torch.nn.functional as F
from torch.fx import Graph

from ..graph import filter_of, in_order, only_use, replace_with

_NAMES = {F.relu: "relu", F.leaky_relu: "lrelu", F.silu: "silu", F.gelu: "gelu"}


def fuse_activation(graph: Graph) -> None:
    """``act(conv(x))``, where nothing else reads the convolution's own result."""
    for node in in_order(graph, *_NAMES):
        before = node.args[0]
        conv = filter_of(before)
        if conv is None or not conv.bare or not only_use(before):
            continue
        slope = node.args[1] if node.target is F.leaky_relu else 0.0
        fused = replace(conv, act=_NAMES[node.target], slope=slope)
        replace_with(node, fused.target, fused.args, before)
        graph.erase_node(before)
