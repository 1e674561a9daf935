"""Mean, variance and deviation of each channel over the picture: ``statistic``."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch.fx import Graph, Node

from ...ops import STATISTIC
from ..graph import calls, replace_with, shape

_NAMES = {"mean": "mean", "var": "var", "std": "std"}
_MEANS = (F.adaptive_avg_pool2d,)


def fuse_statistic(graph: Graph) -> None:
    """``x.mean((2, 3), keepdim=True)``, ``var``, ``std``, and ``adaptive_avg_pool2d(x, 1)``."""
    for node in list(graph.nodes):
        found = _pooled(node) or _measured(node)
        if found is not None and len(shape(found[0]) or ()) == 4:
            replace_with(node, STATISTIC, found)


def _pooled(node: Node) -> tuple | None:
    if not calls(node, *_MEANS):
        return None
    size = node.args[1] if len(node.args) > 1 else node.kwargs.get("output_size")
    return (node.args[0], "mean", 0) if size in (1, (1, 1), [1, 1]) else None


def _measured(node: Node) -> tuple | None:
    name = getattr(node.target, "__name__", node.target)
    of_torch = node.op == "call_method" or node.target in (torch.mean, torch.var, torch.std)
    if node.op not in ("call_method", "call_function") or name not in _NAMES or not of_torch:
        return None
    x, *rest = node.args
    given: dict[str, Any] = dict(node.kwargs)
    if rest:
        given["dim"] = rest.pop(0)
    if rest and name == "mean":
        given["keepdim"] = rest.pop(0)
    dim = given.pop("dim", None)
    dims = {d % 4 for d in dim} if isinstance(dim, tuple | list) else set()
    if rest or dims != {2, 3} or given.pop("keepdim", False) is not True:
        return None
    unbiased, correction = given.pop("unbiased", True), given.pop("correction", None)
    if correction is None:
        correction = int(bool(unbiased))
    if given or correction not in (0, 1):
        return None
    return (x, name, 0 if name == "mean" else correction)
