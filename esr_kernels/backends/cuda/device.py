"""The properties of a GPU that launches depend on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple

import torch

from .. import gpu


class Limits(NamedTuple):
    """Properties of one GPU.

    Attributes:
        sm_count: number of streaming multiprocessors.
        shared_bytes: shared memory that a block may have.
        fast_half_sums: True if products of float16 are faster with sums in float16.
    """

    sm_count: int
    shared_bytes: int
    fast_half_sums: bool


@cache
def limits(device: torch.device) -> Limits:
    """Return the properties of a GPU."""
    found = torch.cuda.get_device_properties(device)
    # Older versions of torch do not tell; no GPU from compute capability 8.0 up has less.
    shared_bytes = getattr(found, "shared_memory_per_block_optin", 99 * 1024)
    # Cards for data centres (8.0, 9.0, 10.0) multiply at one rate, and Orin (8.7) does.
    fast = (found.major, found.minor) in ((8, 6), (8, 9)) or found.major == 12
    return Limits(found.multi_processor_count, shared_bytes, fast)


def sums_in_float16(device: torch.device) -> bool:
    """Return True if sums of float16 stay in float16: the user allows it, and it is faster."""
    return gpu.allows_float16_sums() and limits(device).fast_half_sums


@contextmanager
def current_stream(device: torch.device) -> Iterator[int]:
    """Make the device current; yield the address of its current stream."""
    with torch.cuda.device(device):
        yield torch.cuda.current_stream(device).cuda_stream
