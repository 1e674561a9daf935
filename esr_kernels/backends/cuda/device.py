"""What the kernels are told of a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch


@cache
def limits(device: torch.device) -> tuple[int, int]:
    """Its streaming multiprocessors, and the bytes of shared memory that a block may have."""
    found = torch.cuda.get_device_properties(device)
    # Older versions of torch do not tell; no GPU from compute capability 8.0 up has less.
    shared_bytes = getattr(found, "shared_memory_per_block_optin", 99 * 1024)
    return found.multi_processor_count, shared_bytes


@contextmanager
def current_stream(device: torch.device) -> Iterator[int]:
    """Makes the device current; gives the address of its current stream."""
    with torch.cuda.device(device):
        yield torch.cuda.current_stream(device).cuda_stream
