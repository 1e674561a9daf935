"""Fixtures of the backends' tests."""

from collections.abc import Callable, Iterator

import pytest
import torch

from esr_kernels.backends import gpu


@pytest.fixture
def pretend_gpu(monkeypatch) -> Iterator[Callable[..., None]]:
    """``pretend_gpu(9, 0)``: torch reports a GPU of that compute capability; none without one."""

    def report(*capability: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(capability))
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=None: "a GPU")
        gpu.unfit.cache_clear()

    monkeypatch.delenv("ESR_KERNELS_BACKEND", raising=False)
    yield report
    gpu.unfit.cache_clear()
