"""Tensors that code makes of nothing: a mask of zeros, a range of places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def _like(factory: Callable) -> Callable:
    def made(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        tensor = factory(*args, device=x.device, **kwargs)
        return tensor.to(x.dtype) if tensor.is_floating_point() else tensor

    made.__name__ = f"made_{factory.__name__}"  # after which torch.fx names calls
    return made


#: Each factory with a function that takes a tensor first, and makes what the factory makes on the
#: device of that; in its dtype, if it is made of floats.
MADE: dict[Callable, Callable] = {
    factory: _like(factory)
    for factory in (torch.zeros, torch.ones, torch.full, torch.arange, torch.linspace, torch.eye)
}
