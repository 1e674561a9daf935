"""The CUDA kernels as they are compiled: for which GPUs, in how many registers, and what spills."""

from __future__ import annotations

import shutil

import pytest
from cuda_resources import Usages, cuobjdump, read_module, read_table

from esr_kernels.backends.cpu import _C

#: A compiler of another version may take a few more.
SLACK_REGISTERS = 8
#: What a thread may keep on its stack: some numbers of a picture tile that it asks for once a tile.
#: Two blocks of the main kernels share a processor's registers, 128 for each thread, of which the
#: sums and operands of a product take 92.
SPILLED_BYTES = 48


@pytest.fixture(scope="module")
def usages() -> Usages:
    if not hasattr(_C, "cuda"):
        pytest.skip("esr_kernels._C is built without CUDA kernels")
    if cuobjdump() is None or not shutil.which("c++filt"):
        pytest.skip("cuobjdump (of the CUDA toolkit, or of triton) or c++filt is not installed")
    return read_module(_C.__file__)


def test_every_kernel_is_there_for_every_target(usages):
    targets = {target for target in _C.cuda.targets if target.startswith("sm_")}
    for kernel, needs in usages.items():
        assert set(needs) == targets, kernel
    assert set(usages) == set(read_table())


def test_little_is_spilled(usages):
    spilling = {
        f"{kernel} on {target}": needs.stack
        for kernel, by_target in usages.items()
        for target, needs in by_target.items()
        if needs.stack > SPILLED_BYTES
    }
    assert spilling == {}


def test_registers_are_as_in_the_table(usages):
    """After a change that is meant to be so: ``python tests/csrc/cuda_resources.py``."""
    table = read_table()
    for kernel, by_target in usages.items():
        for target, needs in by_target.items():
            kept = table[kernel][target]
            assert needs.registers <= kept.registers + SLACK_REGISTERS, f"{kernel} on {target}"
            assert needs.stack <= kept.stack, f"{kernel} on {target}"
