"""A concatenation that something else than convolutions reads: ``channel_join``."""

from __future__ import annotations

import torch
from torch.fx import Graph

from ...ops import CHANNEL_JOIN
from ..graph import in_order, replace_with, shape, value


def fuse_channel_join(graph: Graph) -> None:
    """``cat`` of maps along the channels; those that only convolutions read are gone already."""
    for node in in_order(graph, torch.cat):
        if node.args[1:] != (1,):
            continue
        parts = list(node.args[0])
        if all(value(p) is None and len(shape(p) or ()) == 4 for p in parts):
            replace_with(node, CHANNEL_JOIN, (parts,))
