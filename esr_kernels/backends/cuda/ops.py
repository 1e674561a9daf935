"""The ops one at a time, as programs; torch computes what is too wide for the kernels."""

from __future__ import annotations

from torch import Tensor
from torch.utils._pytree import tree_map

from esr_kernels.backends import references

from ..lowering.eager import EagerPrograms
from .builder import OP_SET, format_of

_programs = EagerPrograms(OP_SET)


def run(op: str, *args, out: Tensor | None = None):
    """Computes ``op`` for its schema arguments."""
    shapes = tree_map(lambda a: tuple(a.shape) if isinstance(a, Tensor) else a, args)
    if OP_SET.fits(op, shapes):
        first = args[0] if isinstance(args[0], Tensor) else args[0][0]
        return _programs.run(op, *args, variant=format_of(first.dtype), out=out)
    y = references[op](*args)
    return y if out is None else out.copy_(y)
