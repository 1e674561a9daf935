"""Times and peak memory of one call."""

import mmap
import time

import pytest
import torch

from esr_kernels.challenge.timing import PeakMemory, timed

CPU = torch.device("cpu")


def test_wall_clock():
    result, ms = timed(lambda: time.sleep(0.02) or "done", CPU)
    assert result == "done" and 20 <= ms < 2000


def test_peak_of_the_process():
    memory = PeakMemory(CPU)
    peaks = []
    for megabytes in (1, 200, 1):
        # Straight from the system: malloc may have as much left of earlier tests, resident already.
        pages = mmap.mmap(-1, megabytes * 2**20)
        memory.start()
        torch.frombuffer(pages, dtype=torch.uint8).fill_(1)
        peaks.append(memory.stop())
    if None in peaks:
        pytest.skip("this system does not say how much memory a process takes")
    assert peaks[1] - peaks[0] > 150 and peaks[1] - peaks[2] > 150


@pytest.mark.gpu
def test_on_a_gpu():
    if not torch.cuda.is_available():
        pytest.skip("torch finds no GPU")
    device = torch.device("cuda")
    memory = PeakMemory(device)
    memory.start()
    _, ms = timed(lambda: torch.ones(2**24, device=device).sum(), device)
    assert ms > 0 and memory.stop() >= 64
