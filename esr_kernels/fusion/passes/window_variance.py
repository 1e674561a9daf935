"""The variance in windows that are cut out by ``unfold``: ``window_variance``."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch.fx import Graph, Node

from ...ops import WINDOW_VARIANCE
from ..graph import calls, replace_with, shape, sweep


def fuse_window_variance(graph: Graph) -> None:
    """``x.unfold(2, k, s).unfold(3, k, s).var((4, 5))``, where x may be padded by reflection."""
    for node in list(graph.nodes):
        windows = _over_windows(node)
        if windows is not None:
            replace_with(node, WINDOW_VARIANCE, windows)
    sweep(graph)


def _over_windows(node: Node) -> tuple | None:
    """The op's arguments, if the node is an unbiased variance over windows."""
    if getattr(node.target, "__name__", node.target) != "var" or not node.args:
        return None
    given: dict[str, Any] = dict(zip(("x", "dim"), node.args, strict=False)) | node.kwargs
    unbiased = given.pop("unbiased", True) is True and given.pop("correction", 1) == 1
    kept = given.pop("keepdim", False)
    if not unbiased or kept or given.keys() != {"x", "dim"}:
        return None
    dims = given["dim"]
    if not isinstance(dims, list | tuple) or sorted(d % 6 for d in dims) != [4, 5]:
        return None
    rows, *columns = _unfolded(given["x"], 3) or (None,)
    x, *size = _unfolded(rows, 2) or (None,)
    if len(shape(x) or ()) != 4 or size != columns or size[0] < 2:
        return None
    return _unpadded(x, *size)


def _unfolded(node: Any, dim: int) -> tuple | None:
    """Finds what the node cuts into windows along ``dim``, their size and stride."""
    if not isinstance(node, Node) or node.target != "unfold" or len(node.args) != 4:
        return None
    x, along, size, stride = node.args
    numbers = isinstance(size, int) and isinstance(stride, int)
    return (x, size, stride) if numbers and along % len(shape(x) or (1,)) == dim else None


def _unpadded(x: Node, size: int, stride: int) -> tuple:
    if calls(x, F.pad):
        given = dict(zip(("x", "pad", "mode"), x.args, strict=False)) | x.kwargs
        pads = given["pad"]
        alike = isinstance(pads, list | tuple) and len(pads) == 4 and len(set(pads)) == 1
        if given.get("mode") == "reflect" and alike and isinstance(pads[0], int) and pads[0] >= 0:
            return given["x"], size, stride, pads[0]
    return x, size, stride, 0
