"""A module of the user's inside a fused graph."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map


class AsItIs(nn.Module):
    """Calls a module that it holds but does not register: what moves or casts the graph leaves the
    module alone, which gets and gives its own dtype. What it writes into its arguments is written
    where they came from."""

    def __init__(self, module: nn.Module, dtype: torch.dtype):
        super().__init__()
        self._dtype = dtype
        self.hold(module)

    def hold(self, module: nn.Module) -> None:
        """Calls this module from now on."""
        self._held = (module,)

    def forward(self, *args, **kwargs):
        casts: list[tuple[Tensor, Tensor, Tensor]] = []

        def to_own(value: Any) -> Any:
            if not isinstance(value, Tensor) or not value.is_floating_point():
                return value
            own = value.to(self._dtype)
            if own is not value:
                casts.append((value, own, own.clone()))
            return own

        (module,) = self._held
        result = module(*tree_map(to_own, args), **tree_map(to_own, kwargs))
        if not casts:
            return result
        for given, own, before in casts:
            if not torch.equal(own, before):
                given.copy_(own)
        outer, inner = casts[0][0].dtype, self._dtype
        return tree_map(
            lambda v: v.to(outer) if isinstance(v, Tensor) and v.dtype == inner else v, result
        )
