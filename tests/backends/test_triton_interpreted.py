"""The Triton kernels in Triton's interpreter, which needs no GPU.

In processes of their own: whether kernels are interpreted is settled when triton is imported.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("triton") is None,
        reason="triton is not installed: pip install -e '.[test]'",
    ),
]
#: Of the tests that hold every backend to the reference, those that are quick enough here.
OF_EVERY_BACKEND = (
    "layouts or nan or far or saturated or no_bias or slope or list or out or strided"
)


def interpret(*arguments: str) -> int:
    """Runs pytest in the interpreter; how many tests passed, all of them."""
    environment = os.environ | {
        "TRITON_INTERPRET": "1",
        "ESR_KERNELS_BACKEND": "triton",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(
        command, cwd=TESTS.parent, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return int(re.search(r"(\d+) passed", done.stdout)[1])


@pytest.mark.parametrize(
    "chosen", ["conv", "depthwise", "esa", "shuffle", "spab", "scans", "out_ or changed"]
)
def test_ops(chosen):
    assert interpret("tests/backends/test_gpu_ops.py", "-k", chosen) > 1


def test_networks():
    chosen = "SPAN and torch.float16 or RLFN and torch.float32 and channels_last or reason"
    assert interpret("tests/backends/test_gpu_networks.py", "-k", chosen) == 4


@pytest.mark.parametrize(
    "op",
    ["conv_act", "depthwise_act", "esa", "conv3x3_pixel_shuffle", "selective_scan", "spab"],
)
def test_ops_like_every_backend(op):
    assert interpret(f"tests/ops/test_{op}.py", "-k", OF_EVERY_BACKEND) > 10
