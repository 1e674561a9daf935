"""Sizes of tensors as networks write them: ``x.shape[-2:]``, ``(x.size(2), x.size(3) // 4)``."""

from __future__ import annotations

import operator
from typing import Any

from torch.fx import Node

from ..op import called_op, is_result
from .arithmetic import FORMULA_WORDS
from .graph import calls, shape, shapes


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


def same(a: Node, b: Node) -> bool:
    """Return true if two tensors have the same height and width whatever the picture has."""
    return source(a) is source(b)


def source(node: Node) -> Node:
    """The tensor that the node has its height and width from."""
    while (before := _before(node)) is not None:
        node = before
    return node


def _before(node: Node) -> Node | None:
    """An operand of which the node has height and width in every picture, if it surely has one."""
    if is_result(node):
        return node.args[0]
    size, op = shape(node), called_op(node)
    if op is not None and op.results > 1:
        size = shape(op.activations_of(node.args)[0])
    if size is None or len(size) != 4 or size[2:] == (1, 1):
        return None
    if op is None:
        operands = node.all_input_nodes if calls(node, *FORMULA_WORDS) else []
    else:
        reach = op.reach(*shapes(node))
        operands = op.activations_of(node.args) if reach is not None and reach[1] == 1 else []
    return next((n for n in operands if (shape(n) or ())[2:] == size[2:]), None)


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
