"""Computing in another dtype than that of the inputs and results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.fx.node import map_aggregate


def cast(value: Any, from_: torch.dtype, to: torch.dtype) -> Any:
    """A tensor of dtype ``from_`` in dtype ``to``; anything else as it is."""
    return value.to(to) if isinstance(value, Tensor) and value.dtype == from_ else value


def casting(run: Callable, inner: torch.dtype, outer: torch.dtype) -> Callable:
    """``run``, which computes in ``inner``, as a function that takes and gives ``outer``."""
    if inner == outer:
        return run
    return lambda *inputs: map_aggregate(
        run(*(x.to(inner) for x in inputs)), lambda y: cast(y, inner, outer)
    )
