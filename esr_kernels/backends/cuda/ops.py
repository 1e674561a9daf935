"""Ops one at a time, as programs; torch computes those that are too wide for the kernels."""

from __future__ import annotations

from torch import Tensor
from torch.utils._pytree import tree_map

from ...op import Op
from ..lowering.eager import EagerPrograms
from .builder import OP_SET, format_of

_programs = EagerPrograms(OP_SET)


def run(op: Op, *args, out: Tensor | None = None):
    """Compute ``op`` for its schema arguments."""
    shapes = tree_map(lambda a: tuple(a.shape) if isinstance(a, Tensor) else a, args)
    if OP_SET.supports(op, shapes):
        first = args[0] if isinstance(args[0], Tensor) else args[0][0]
        return _programs.run(op, *args, variant=format_of(first.dtype), out=out)
    y = op.in_torch(*args)
    return y if out is None else out.copy_(y)
