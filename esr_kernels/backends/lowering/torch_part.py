"""Torch's part of a graph, beside the programs."""

from __future__ import annotations

from collections.abc import Collection

import torch
import torch.nn.functional as F
from torch.fx import Node

from ...formula import evaluate
from ...op import Op, called_op
from .program import OpSet

_CONVOLUTIONS = (torch.conv2d, F.conv2d, F.conv_transpose2d)


def lowered(node: Node, op_set: OpSet) -> Op | None:
    """The op that the node calls, if programs can have it."""
    op = called_op(node)
    return op if op and op.name in op_set.lower else None


def filters_of(in_torch: list[Node]) -> list[Node]:
    """Weights of convolutions that torch computes."""
    convolve = [n for n in in_torch if n.target in _CONVOLUTIONS or called_op(n)]
    return [w for n in convolve for w in n.all_input_nodes if w.op == "get_attr"]


def gains_channels_last(in_torch: list[Node], filters: list[Node]) -> bool:
    """Return true if torch's nodes, with these weights of convolutions among them, are faster in
    that format; not where something is written in place, to whom it may matter how that lies, nor
    beside Fourier transforms, which read planes."""
    reads_last = bool(filters) or any(map(_moves_channels_last, in_torch))
    return reads_last and not any(n.meta.get("writes") or _transforms(n) for n in in_torch)


def _transforms(node: Node) -> bool:
    return getattr(node.target, "__name__", "").startswith("fft_")


def _moves_channels_last(node: Node) -> bool:
    """Return true for a call that reads a tensor's channels as the last axis, as attention in
    windows does: in channels_last they lie so."""
    if node.op != "call_method" or not node.args:
        return False
    _, *to = node.args
    to = to[0] if len(to) == 1 and isinstance(to[0], list | tuple) else to
    if node.target == "permute":
        return bool(to) and to[-1] == 1
    return node.target in ("movedim", "moveaxis") and list(to) in ([1, -1], [1, 3])


def set_op(twin: Node, op: Op, spent: list[int]) -> None:
    """Makes a copied node one that computes the op in torch.

    ``spent``: numbers of a formula's inputs that may be written over.
    """
    twin.target = op.in_torch
    if op.name == "elementwise":
        inputs, text, constants = twin.args
        twin.target, twin.args = evaluate, (text, inputs, constants, spent)


def spent_inputs(node: Node, by_kernels: Collection[Node]) -> list[int]:
    """Numbers of a formula's inputs that are memory of their own which nothing else reads.

    ``by_kernels``: the nodes that torch does not compute.
    """

    def is_own(n: Node) -> bool:
        op = called_op(n)
        one = op is not None and op.results == 1 and op.name != "channel_part"  # torch's is a view
        return len(n.users) == 1 and (n in by_kernels or one or n.target in _CONVOLUTIONS)

    op = called_op(node)
    inputs = node.args[0] if op is not None and op.name == "elementwise" else []
    return [i for i, n in enumerate(inputs) if inputs.count(n) == 1 and is_own(n)]
