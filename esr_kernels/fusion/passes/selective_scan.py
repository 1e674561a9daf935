"""The selective scan, one node of the graph already, becomes one ``selective_scan``."""

from __future__ import annotations

from torch.fx import Graph

from ...ops import SELECTIVE_SCAN
from ...ops.selective_scan import reference
from ..graph import in_order, replace_with


def fuse_selective_scan(graph: Graph) -> None:
    """``reference`` of the op, which ``torch.fx`` does not look into, whatever its arguments."""
    for node in in_order(graph, reference):
        replace_with(node, SELECTIVE_SCAN, node.args)
