"""Compiles a kernel's launch for a GPU that is not here, and reads the compiler's report."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import triton
from triton.backends.compiler import GPUTarget

from esr_kernels.backends.triton.launch import Launch


@dataclass(frozen=True)
class Usage:
    """What a program needs: registers and stack bytes of a thread, bytes of shared memory.

    Nothing here uses the stack by itself: what stands there are registers that did not fit.
    """

    registers: int
    stack: int
    shared: int


class _AbsentGpu:
    """What Triton asks of a driver before it compiles."""

    def __init__(self, capability: tuple[int, int]):
        major, minor = capability
        self.arch = 10 * major + minor

    def get_current_device(self) -> int:
        return self.arch  # compiled kernels are remembered per device

    def get_current_stream(self, device: int) -> int:
        return 0

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", self.arch, 32)


@contextmanager
def _pretending(capability: tuple[int, int]) -> Iterator[None]:
    triton.runtime.driver.set_active(_AbsentGpu(capability))
    try:
        yield
    finally:
        triton.runtime.driver.set_active(None)  # the next use looks for one again


def compile_launch(launch: Launch, capability: tuple[int, int], **options: int):
    """Compiles as the first such call on a GPU of this compute capability would."""
    options = {
        "num_warps": launch.config.num_warps,
        "num_stages": launch.config.num_stages,
        **options,
    }
    with _pretending(capability):
        return launch.kernel.warmup(*launch.args, grid=(1,), **launch.constants, **options)


def usage(compiled) -> Usage:
    """What the compiler's report says of a compiled kernel."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(compiled.asm["cubin"])
        file.flush()
        report = subprocess.run(
            [triton.knobs.nvidia.cuobjdump.path, "--dump-resource-usage", file.name],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    found = dict(re.findall(r"(REG|STACK):(\d+)", report))
    return Usage(int(found["REG"]), int(found["STACK"]), compiled.metadata.shared)
