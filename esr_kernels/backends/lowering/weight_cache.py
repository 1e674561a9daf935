"""Cache of packed weights, invalidated when a weight changes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any
from weakref import ref

from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary


class WeightCache:
    """Remembers one result for each first weight, and forgets it with that weight.

    Making it (packing weights) takes longer than a small picture; a training loop changes weights
    at every step and then pays for that.
    """

    def __init__(self) -> None:
        # First weight -> (state, references to all weights, result).
        self._results = WeakTensorKeyDictionary()

    def get(
        self, weights: Sequence[Tensor | None], constants: Hashable, make: Callable[[], Any]
    ) -> Any:
        """``make()``, or what it gave for the same weights and constants before."""
        present = [w for w in weights if w is not None]
        if any(w.is_inference() for w in present):  # their changes are not counted
            return make()
        state = (constants, [(w._version, w.data_ptr(), w.dtype, w.device) for w in present])
        known = self._results.get(present[0])
        if (
            known
            and known[0] == state
            and all(r() is w for r, w in zip(known[1], present, strict=True))
        ):
            return known[2]
        result = make()
        self._results[present[0]] = (state, [ref(w) for w in present], result)
        return result
