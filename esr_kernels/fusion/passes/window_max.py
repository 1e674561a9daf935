"""Max pooling, and to a fraction of the size: ``window_max``."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch.fx import Graph, Node

from ...ops import WINDOW_MAX
from ..graph import in_order, replace_with, shape, sweep
from ..sizes import divided, same


def fuse_window_max(graph: Graph) -> None:
    """``max_pool2d`` of square windows, ``adaptive_max_pool2d`` to ``(H // k, W // k)``."""
    for node in in_order(graph, torch.max_pool2d):
        x, kernel, stride, *rest = node.args
        padding, *usual = rest
        square = len(set(kernel)) == len(set(stride)) == len(set(padding)) == 1
        if square and usual == [(1, 1), False] and len(shape(x) or ()) == 4:
            replace_with(node, WINDOW_MAX, (x, kernel[0], stride[0], padding[0]))
    for node in in_order(graph, F.adaptive_max_pool2d, F.adaptive_max_pool2d_with_indices):
        divisor = _divisor(node)
        if divisor is not None:
            replace_with(node, WINDOW_MAX, (node.args[0], 0, divisor, 0))
    sweep(graph)


def _divisor(node: Node) -> int | None:
    """By which the result is smaller than the argument, whatever that one's size is."""
    given: dict[str, Any] = dict(
        zip(("x", "output_size", "return_indices"), node.args, strict=False)
    )
    given |= node.kwargs
    x, found = given.get("x"), divided(given.get("output_size"))
    if found is None or given.get("return_indices") or len(shape(x) or ()) != 4:
        return None
    like, divisor = found
    return divisor if same(like, x) else None
