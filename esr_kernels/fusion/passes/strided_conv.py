"""Convolutions with stride 2: ``strided_conv``."""

from __future__ import annotations

import torch
from torch.fx import Graph

from ...ops import STRIDED_CONV
from ...ops.strided_conv import SIZES
from ..graph import in_order, replace_with, value


def fuse_strided_conv(graph: Graph) -> None:
    """Takes those with constant weights; what ESA has taken in is gone already."""
    for node in in_order(graph, torch.conv2d):
        x, weight, bias, *how = node.args
        if value(weight) is None or not (bias is None or value(bias) is not None):
            continue
        padding = _padding(value(weight).shape, *how)
        if padding is not None:
            replace_with(node, STRIDED_CONV, (x, weight, bias, padding))


def _padding(kernel: torch.Size, stride, padding, dilation, groups) -> int | None:
    """The padding of a convolution that the op has."""
    _, _, rows, columns = kernel
    known = stride == (2, 2) and dilation == (1, 1) and groups == 1 and rows == columns
    return next((p for k, p in SIZES if known and (rows, (p, p)) == (k, padding)), None)
