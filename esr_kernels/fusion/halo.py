"""Receptive field of a fused graph: the border that makes a tile equal to the whole picture."""

from __future__ import annotations

import math
import operator
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch.fx import Graph, Node

from ..op import called_op, is_result
from .arithmetic import FORMULA_WORDS
from .graph import shape, shapes, value

# Every value of the result depends on the values at its own place only.
_POINTWISE = FORMULA_WORDS.keys() | {operator.getitem}


def radius(graph: Graph) -> int | None:
    """Receptive-field radius of the graph in pixels of its input; None if it is not bounded.

    A pixel of the output depends on no input pixel further away than this (rows and columns, in
    input pixels), so a tile cut with such a border is exact after cropping. None: something sees
    the whole picture (ESA), changes the grid downwards, or is not known.
    """
    reach: dict[Node, tuple[Fraction, Fraction] | None] = {}  # radius, pixels per input pixel
    for node in graph.nodes:
        if node.op == "output":
            found = [reach[n] for n in node.all_input_nodes]
            if not found or None in found:
                return None
            return math.ceil(max(far for far, _ in found))
        reach[node] = _reach(node, reach)
    return None


def _reach(node: Node, reach: dict) -> tuple[Fraction, Fraction] | None:
    if node.op == "placeholder":
        return Fraction(0), Fraction(1)
    inputs = [n for n in node.all_input_nodes if n.op != "get_attr"]
    before = [reach[n] for n in inputs]
    grown = _growth(node)
    if not before or None in before or grown is None:
        return None
    densities = {density for _, density in before}
    if len(densities) != 1:
        return None
    density = densities.pop()
    taps, finer = grown
    return max(far for far, _ in before) + Fraction(taps) / density, density * finer


def _growth(node: Node) -> tuple[int, int] | None:
    """Pixels that the node looks to each side, and by what factor it refines the grid."""
    if node.op != "call_function":
        return None
    if (op := called_op(node)) is not None:
        return op.reach(*shapes(node))
    if node.target is torch.pixel_shuffle:
        return 0, node.args[1]
    if node.target is torch.cat:
        return (0, 1) if node.args[1:] == (1,) else None
    if node.target is torch.conv2d:
        return _conv_taps(node)
    if node.target is F.interpolate:
        return _nearest(node)
    if node.target is operator.getitem and not is_result(node):
        return None  # a slice of a tensor may shift it; an op's results are whole
    return (0, 1) if node.target in _POINTWISE else None


def _conv_taps(node: Node) -> tuple[int, int] | None:
    _, weight, _, stride, padding, dilation, _ = node.args
    kernel = shape(weight) or (value(weight).shape if value(weight) is not None else None)
    if kernel is None or stride != (1, 1):
        return None
    sides = [(k - 1) * d for k, d in zip(kernel[2:], dilation, strict=True)]
    same = [side % 2 == 0 for side in sides]
    centred = padding == "same" or padding == tuple(side // 2 for side in sides)
    return (max(sides) // 2, 1) if all(same) and centred else None


def _nearest(node: Node) -> tuple[int, int] | None:
    _, size, factor, mode, _ = node.args
    factors = set(factor) if isinstance(factor, tuple | list) else {factor}
    if mode != "nearest" or size is not None or len(factors) != 1:
        return None
    (factor,) = factors
    return (0, int(factor)) if factor is not None and factor == int(factor) >= 1 else None
