"""The CUDA backend on CPU tensors: its programs run in the emulator, on copies in its memory."""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from torch import Tensor

sys.path.append(str(Path(__file__).resolve().parents[1] / "csrc"))

from building import emulated_module

from esr_kernels.backends import cuda, verdicts
from esr_kernels.backends.cuda import builder, device, forms
from esr_kernels.backends.cuda.device import Limits
from esr_kernels.backends.verdicts import Verdict

#: Few streaming multiprocessors, so that a block works on several tiles of a small picture.
LIMITS = {
    "sm_90": Limits(5, 227 * 1024, fast_half_sums=False),
    "sm_86": Limits(3, 99 * 1024, fast_half_sums=True),
}


@cache
def emulator() -> ModuleType:
    """The module; the test skips where it cannot be built."""
    spec = importlib.util.spec_from_file_location("emulated", emulated_module())
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Program:
    """A program of the emulator's, which is given copies of all that the caller's tensors hold."""

    def __init__(self, format_: str, **force: Any):
        self._program = emulator().cuda.Program(format_, **force)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._program, name)

    def run(self, inputs, outputs, size, constants, workspace, device, stream) -> None:
        memory = Memory()
        inputs = [memory.picture(*picture, writable=False) for picture in inputs]
        outputs = [memory.picture(*picture, writable=True) for picture in outputs]
        constants = memory.copy(constants, len(self.constants()), writable=False)
        workspace = emulator().Memory(self.workspace_bytes(device, size))  # NaNs
        self._program.run(inputs, outputs, size, constants, workspace.address, device, stream)
        memory.return_copies()


class Memory:
    """Copies of CPU memory in the emulator's, one for each tensor's storage."""

    def __init__(self) -> None:
        self._copies: dict[int, tuple[Any, int]] = {}  # address -> copy, bytes

    def copy(self, address: int, bytes_: int, writable: bool) -> int:
        """The address of the copy of this memory."""
        if address not in self._copies:
            twin = emulator().Memory(bytes_)
            ctypes.memmove(twin.address, address, bytes_)
            if not writable:
                twin.protect()
            self._copies[address] = twin, bytes_
        return self._copies[address][0].address

    def picture(self, x: Tensor, *layout, writable: bool) -> tuple:
        storage = x.untyped_storage()
        start = self.copy(storage.data_ptr(), storage.nbytes(), writable)
        return (start + x.data_ptr() - storage.data_ptr(), *layout)

    def return_copies(self) -> None:
        for address, (twin, bytes_) in self._copies.items():
            ctypes.memmove(address, twin.address, bytes_)


@contextmanager
def _no_stream(device: torch.device) -> Iterator[int]:
    yield 0


def emulate_gpu(monkeypatch, architecture: str) -> None:
    """From here on the CUDA backend takes CPU tensors, as if on a GPU of that architecture."""
    picture = builder._picture

    def nan_like(*args, **kwargs) -> Tensor:  # so that a pixel never written is seen
        return empty_like(*args, **kwargs).fill_(torch.nan)

    empty_like = builder.empty_like
    emulated = SimpleNamespace(cuda=SimpleNamespace(Program=Program, forms=emulator().cuda.forms))
    for module in (builder, forms):
        monkeypatch.setattr(module, "_C", emulated)
    for module in (builder, device, forms):
        monkeypatch.setattr(module, "limits", lambda device: LIMITS[architecture])
    monkeypatch.setattr(builder, "current_stream", _no_stream)
    monkeypatch.setattr(builder, "empty_like", nan_like)
    monkeypatch.setattr(builder, "_picture", lambda x: (x, *picture(x)[1:]))
    monkeypatch.setattr(cuda, "_claims_not", _takes_cpu)
    monkeypatch.setattr(verdicts, "verdict", lambda *question: Verdict("", ()))
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    monkeypatch.setenv("ESR_KERNELS_BACKEND", "cuda")


def _takes_cpu(device: torch.device, dtype: torch.dtype) -> str | None:
    known = device.type == "cpu" and dtype in cuda._DTYPES
    return None if known else "not emulated"
