"""The GPU's kernels on the CPU: their own source, run thread by thread in an emulator that checks
every access to memory and every barrier as it goes. Needs neither nvcc nor a GPU."""

from __future__ import annotations

import pytest
from building import call, emulated_program

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "name",
    [
        "emulator_test",
        "emulator_errors_test",
        "cuda_geometry_test",
        "cuda_program_test",
        "cuda_esa_test",
    ],
)
def test_emulated(name):
    assert "passed" in call(emulated_program(name))
