"""Ops one at a time, as programs; torch computes those that are too wide for the kernels."""

from __future__ import annotations

from torch import Tensor
from torch.utils._pytree import tree_map

from ...op import Op
from .. import gpu
from ..lowering.eager import EagerPrograms
from .builder import OP_SET

_programs = EagerPrograms(OP_SET)


def run(op: Op, *args, out: Tensor | None = None):
    """Compute ``op`` for its schema arguments."""
    shapes = tree_map(lambda a: tuple(a.shape) if isinstance(a, Tensor) else a, args)
    if OP_SET.refusal(op, shapes) is None:
        variant = "half sums" if gpu.allows_float16_sums() else ""
        return _programs.run(op, *args, variant=variant, out=out)
    y = op.in_torch(*args)
    return y if out is None else out.copy_(y)
