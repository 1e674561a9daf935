"""One op at a time: each call is a program of that op, kept for its weights' next call."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from .program import Builder, OpSet, activations, map_activations
from .weight_cache import WeightCache


class EagerPrograms:
    """Computes ops by programs in a backend's language."""

    def __init__(self, op_set: OpSet) -> None:
        self._op_set = op_set
        self._programs = WeightCache()

    def run(self, op: str, *args: Any, variant: str = "", out: Tensor | None = None) -> Any:
        """Computes the op for its schema arguments.

        Args:
            variant: whatever else a program depends on.
            out: where to write the one result; it is not returned then.
        """
        pictures = activations(op, args)
        outlined = map_activations(op, args, lambda x: x.shape[1])
        weights = [a for a in outlined if isinstance(a, Tensor)]
        constants = tuple("a weight" if isinstance(a, Tensor) else a for a in outlined)

        def build() -> Builder:
            b = self._op_set.builder(pictures[0].dtype)
            values = map_activations(op, args, lambda x: b.input(x.shape[1]))
            results = self._op_set.lower[op](b, *values)
            for result in results if isinstance(results, tuple) else (results,):
                b.output(result)
            return b

        program = self._programs.get(weights, (op, variant, constants), build)
        results = program.run(pictures, out=None if out is None else [out])
        if out is not None:
            return None
        return results[0] if len(results) == 1 else tuple(results)
