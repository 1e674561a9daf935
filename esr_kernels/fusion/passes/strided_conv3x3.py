"""A 3x3 convolution with stride 2 and no padding: ``strided_conv3x3``."""

from __future__ import annotations

import torch
from torch.fx import Graph

from ...ops import STRIDED_CONV3X3
from ..graph import in_order, replace_with, value

_TWICE = ((2, 2), (0, 0), (1, 1), 1)  # stride, padding, dilation, groups


def fuse_strided_conv3x3(graph: Graph) -> None:
    """What ESA has taken in is gone already; the others, whose weights are constants."""
    for node in in_order(graph, torch.conv2d):
        x, weight, bias, *shape = node.args
        fixed = value(weight) is not None and (bias is None or value(bias) is not None)
        if fixed and tuple(shape) == _TWICE and value(weight).shape[2:] == (3, 3):
            replace_with(node, STRIDED_CONV3X3, (x, weight, bias))
