"""Sizes of tensors as networks write them: ``x.shape[-2:]``, ``(x.size(2), x.size(3) // 4)``."""

from __future__ import annotations

import operator
from typing import Any

from torch.fx import Node

from .graph import calls


def owner(size: Any) -> Node | None:
    """The tensor whose height and width ``size`` is; None if it is anything else."""
    found = divided(size)
    if found is not None:
        return found[0] if found[1] == 1 else None
    if not calls(size, operator.getitem):
        return None
    whole, part = size.args
    return _whole(whole) if part in (slice(2, None, None), slice(-2, None, None)) else None


def divided(size: Any) -> tuple[Node, int] | None:
    """The tensor, and by what ``size`` divides its height and width, rounded down."""
    if not isinstance(size, tuple | list) or len(size) != 2:
        return None
    rows, columns = (_side(each, dim) for each, dim in zip(size, (2, 3), strict=True))
    return rows if rows is not None and rows == columns else None


def _side(node: Any, dim: int) -> tuple[Node, int] | None:
    divisor = 1
    if calls(node, operator.floordiv):
        node, divisor = node.args
    if not isinstance(divisor, int) or divisor < 1:
        return None
    if calls(node, operator.getitem) and node.args[1] in (dim, dim - 4):
        whole = _whole(node.args[0])
        return (whole, divisor) if whole is not None else None
    if isinstance(node, Node) and node.op == "call_method" and node.target == "size":
        asked = node.args[1:] in ((dim,), (dim - 4,))
        return (node.args[0], divisor) if asked else None
    return None


def _whole(node: Any) -> Node | None:
    """The tensor whose whole shape the node is."""
    if not isinstance(node, Node):
        return None
    if node.op == "call_method" and node.target == "size" and len(node.args) == 1:
        return node.args[0]
    return node.args[0] if node.target is getattr and node.args[1] == "shape" else None
