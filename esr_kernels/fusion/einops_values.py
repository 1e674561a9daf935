"""einops on values of a graph. It asks each of its backends, one per library, whose a tensor is."""

from __future__ import annotations

import sys
from functools import cache

from .values import Value


def teach_einops() -> None:
    """Lets einops work on graph values from now on, in this process; nothing without einops."""
    known = sys.modules.get("einops._backends")
    if hasattr(known, "TorchBackend"):
        _value_backend(known.TorchBackend)


@cache  # einops finds it among the subclasses as long as somebody holds it
def _value_backend(torchs: type) -> type:
    def is_appropriate_type(self, tensor) -> bool:
        return isinstance(tensor, Value)

    def shape(self, x) -> list:
        # A list: no key of einops' caches, which would keep the graph alive.
        return list(x.shape)

    methods = {"is_appropriate_type": is_appropriate_type, "shape": shape}
    return type("ValueBackend", (torchs,), {"framework_name": __name__, **methods})
