"""Eager calls of ops: a program per call, cached for the next call with the same weights."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...op import Op
from .program import Builder, OpSet
from .weight_cache import WeightCache


class EagerPrograms:
    """Computes ops one at a time by programs of a backend."""

    def __init__(self, op_set: OpSet) -> None:
        self._op_set = op_set
        self._programs = WeightCache()

    def run(self, op: Op, *args: Any, variant: str = "", out: Tensor | None = None) -> Any:
        """Compute the op for its schema arguments.

        Args:
            variant: anything else that a program depends on.
            out: tensor for the one result, which is not returned then.
        """
        pictures = op.activations_of(args)
        outlined = op.map_activations(args, lambda x: x.shape[1])
        weights = [a for a in outlined if isinstance(a, Tensor)]
        constants = tuple("a weight" if isinstance(a, Tensor) else a for a in outlined)

        def build() -> Builder:
            b = self._op_set.builder(pictures[0].dtype)
            values = op.map_activations(args, lambda x: b.input(x.shape[1]))
            results = self._op_set.lower[op.name](b, *values)
            for result in results if isinstance(results, tuple) else (results,):
                b.output(result)
            return b

        program = self._programs.get(weights, (op.name, variant, constants), build)
        results = program.run(pictures, out=None if out is None else [out])
        if out is not None:
            return None
        return results[0] if len(results) == 1 else tuple(results)
