"""A concatenation that something else than convolutions reads: ``channel_join``."""

from __future__ import annotations

import torch
from torch.fx import Graph

from ...ops import CHANNEL_JOIN
from ..graph import in_order, replace_with, shape, value


def fuse_channel_join(graph: Graph) -> None:
    """``cat`` of maps along the channels; those that only convolutions read are gone already."""
    for node in in_order(graph, torch.cat):
        parts = node.args[0]
        maps = all(value(p) is None and len(shape(p) or ()) == 4 for p in parts)
        if maps and node.args[1] == 1:
            replace_with(node, CHANNEL_JOIN, (list(parts),))
