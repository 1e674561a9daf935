"""How long one call takes, and how much memory: CUDA events on a GPU, the wall clock on a CPU."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

_MIB = 2**20
_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
_RESET_PEAK = "5"  # Linux, proc(5): the peak of the resident set starts again from what it is now


def timed(call: Callable[[], Any], device: torch.device) -> tuple[Any, float]:
    """The result of ``call`` and its time in ms."""
    if device.type == "cuda":
        return _timed_by_events(call, device)
    start = time.perf_counter()
    result = call()
    return result, 1e3 * (time.perf_counter() - start)


def _timed_by_events(call: Callable[[], Any], device: torch.device) -> tuple[Any, float]:
    with torch.cuda.device(device):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        start.record()
        result = call()
        end.record()
        torch.cuda.synchronize()
    return result, start.elapsed_time(end)


class PeakMemory:
    """The most memory between ``start()`` and ``stop()``.

    On a GPU what torch had allocated there; on Linux the whole process, with Python and torch;
    elsewhere nothing is known.
    """

    def __init__(self, device: torch.device):
        self.device = device

    def start(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        elif _CLEAR.exists():
            _CLEAR.write_text(_RESET_PEAK)

    def stop(self) -> float | None:
        """The peak in MiB, or None."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) / _MIB
        if not _CLEAR.exists():
            return None
        peak = next(x for x in _STATUS.read_text().splitlines() if x.startswith("VmHWM"))
        return int(peak.split()[1]) / 2**10
