"""A number for the values of many tensors on the CPU, that changes when any of them does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

try:
    from esr_kernels import _C
except ImportError:
    _C = None


def pieces(tensors: Sequence[Tensor]) -> list[tuple[int, int]]:
    """Address and bytes of the memory of each; of what lies scattered, up to the storage's end."""
    found = []
    for tensor in tensors:
        end = tensor.untyped_storage().nbytes() - tensor.storage_offset() * tensor.itemsize
        dense = tensor.numel() * tensor.itemsize
        found.append((tensor.data_ptr(), dense if tensor.is_contiguous() else end))
    return found


def checksum(tensors: Sequence[Tensor], memory: list[tuple[int, int]]) -> Any:
    """The number. ``memory``: the :func:`pieces` of the tensors, which are contiguous or not."""
    return _C.checksum(memory, torch.get_num_threads()) if _C else list(map(_in_torch, tensors))


def _in_torch(tensor: Tensor) -> bytes:
    # Sums by column, which notice words that change places, too, unless they are 64 apart.
    data = tensor.detach().contiguous().reshape(-1).view(torch.uint8)
    whole = data.numel() // 512 * 512
    sums = data[:whole].view(torch.int64).view(-1, 64).sum(0)
    return sums.numpy().tobytes() + data[whole:].numpy().tobytes()
