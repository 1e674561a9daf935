"""Arithmetic and activations that no other op takes in become ``elementwise``."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.fx import Graph, Node

from ...formula import Operand, Term, written
from ...op import called_op
from ...ops import ELEMENTWISE
from ..arithmetic import FORMULA_WORDS
from ..graph import calls, constant, conv_of, paths, replace_with, shape, value

# What a step of a program can hold; more become several formulas.
_MOST_TERMS, _MOST_INPUTS, _MOST_CONSTANTS = 24, 8, 12


def fuse_elementwise(graph: Graph) -> None:
    """Maximal groups of such functions with results of one shape, of which only the last result is
    read outside. Constants are numbers, or one number per channel."""
    taken: set[Node] = set()
    for node in reversed(list(graph.nodes)):
        if node in taken or not _fits(node):
            continue
        group = _Group(node)
        taken |= group.nodes
        group.replace()


class _Group:
    def __init__(self, root: Node):
        self.root = root
        self.nodes = {root}
        self.size = shape(root)
        self._grow()

    def _grow(self) -> None:
        """Take in what only the group reads, the latest first, while it stays small enough."""
        refused: set[Node] = set()
        while True:
            near = {n for node in self.nodes for n in node.all_input_nodes}
            open_ = [n for n in near - self.nodes - refused if self._joins(n)]
            if not open_:
                return
            latest = max(open_)
            self.nodes.add(latest)
            inputs, constants = self._operands()
            if (
                len(self.nodes) > _MOST_TERMS
                or len(inputs) > _MOST_INPUTS
                or len(constants) > _MOST_CONSTANTS
            ):
                self.nodes.remove(latest)
                refused.add(latest)

    def _joins(self, node: Node) -> bool:
        return shape(node) == self.size and _fits(node) and set(node.users) <= self.nodes

    def _operands(self) -> tuple[list[Node], list[Node]]:
        """Tensors that the group reads, and those of its constants that are no single number."""
        read = dict.fromkeys(
            n for node in sorted(self.nodes) for n in node.all_input_nodes if n not in self.nodes
        )
        inputs = [n for n in read if value(n) is None]
        return inputs, [n for n in read if value(n) is not None and value(n).numel() > 1]

    def replace(self) -> None:
        inputs, constants = self._operands()
        order = sorted(self.nodes)
        terms = [_term(node, inputs, constants, order) for node in order]
        graph = self.root.graph
        with graph.inserting_before(self.root):
            channels = [
                constant(graph, value(n).double().flatten(), f"{paths(self.root)[-1]}.constant")
                for n in constants
            ]
        rest = order[:-1]
        args = (inputs, written(terms), channels)
        replace_with(self.root, ELEMENTWISE, args, *rest)
        for node in reversed(rest):
            graph.erase_node(node)


def _term(node: Node, inputs: list[Node], constants: list[Node], order: list[Node]) -> Term:
    word, args = FORMULA_WORDS[node.target], list(node.args)
    if node.target is torch.clamp and None in args:
        word = "max" if args[2] is None else "min"
        args.remove(None)

    def operand(a: Any) -> Operand:
        if not isinstance(a, Node):
            return Operand("n", value=float(a))
        if value(a) is not None and value(a).numel() == 1:
            return Operand("n", value=float(value(a)))
        for kind, nodes in (("x", inputs), ("c", constants), ("t", order)):
            if a in nodes:
                return Operand(kind, nodes.index(a))
        raise ValueError(f"{a} is no operand of {node}")

    operands = tuple(map(operand, args))
    if operands[0].kind == "n" and word in ("min", "max"):
        operands = operands[::-1]
    return Term(word, operands)


def _fits(node: Node) -> bool:
    """Return true for a function of formulas, with operands that one can have."""
    size = shape(node)
    if not calls(node, *FORMULA_WORDS) or size is None or len(size) != 4 or node.kwargs:
        return False
    if _is_shift(node):
        return False
    read = [n for n in node.all_input_nodes if value(n) is None]
    return bool(read) and all(_operand_fits(n, size, node) for n in node.args)


def _operand_fits(a: Any, size: Sequence[int], node: Node) -> bool:
    if not isinstance(a, Node):
        return a is None or (isinstance(a, int | float) and not isinstance(a, bool))
    fixed = value(a)
    if fixed is not None:
        return fixed.numel() == 1 or _per_channel(fixed, size[1], node.target is F.prelu)
    found = shape(a)
    if found is None or len(found) != 4 or found[0] != size[0]:
        return False
    return found[1] in (1, size[1]) and tuple(found[2:]) in ((1, 1), tuple(size[2:]))


def _per_channel(fixed: Tensor, channels: int, slopes: bool) -> bool:
    """Return true for a number per channel: ``[..., C, 1, 1]``, or the ``[C]`` of a PReLU."""
    if fixed.numel() != channels:
        return False
    return slopes or (fixed.dim() >= 3 and fixed.shape[-3] == channels)


def _is_shift(node: Node) -> bool:
    """``x - c`` that convolutions read, of a picture: programs do it as they read that."""
    if not calls(node, operator.sub) or value(node.args[1]) is None:
        return False
    if called_op(node.args[0]) or calls(node.args[0], *FORMULA_WORDS):
        return False
    return all(conv_of(user) is not None for user in node.users)
