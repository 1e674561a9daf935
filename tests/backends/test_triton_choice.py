"""When the Triton backend computes, and what it says when it does not."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from types import SimpleNamespace

import pytest
import torch

from esr_kernels import backends
from esr_kernels.backends import triton, verdicts
from esr_kernels.backends.check_process import Outcome
from esr_kernels.backends.verdicts import Verdict
from esr_kernels.ops import ELEMENTWISE, OPS, SPAB

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
OPS_HERE = [op for op in OPS if op.name in triton.COMPUTED]
UNKNOWN = SimpleNamespace(name="no_such_op")


@pytest.fixture
def machine(pretend_gpu, monkeypatch):
    """``pretend_gpu``, and that triton is installed."""
    # No kernel can be tried out on a GPU that is not there.
    monkeypatch.setattr(verdicts, "verdict", lambda *question: Verdict("", ()))
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setattr(triton, "version", lambda package: "3.6.0")
    triton._missing.cache_clear()
    yield pretend_gpu
    triton._missing.cache_clear()


@pytest.mark.parametrize("op", OPS_HERE, ids=lambda op: op.name)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("capability", [(8, 0), (8, 9), (9, 0), (12, 0)], ids=str)
def test_takes_its_ops_on_a_gpu(machine, op, dtype, capability):
    machine(*capability)
    assert triton.refusal(op, CUDA, dtype) is None
    assert triton.graph_refusal({op}, CUDA, dtype) is None


@pytest.mark.parametrize(
    ("op", "device", "dtype", "capability", "words"),
    [
        (SPAB, CPU, torch.float32, (9, 0), "the tensor is on cpu"),
        (SPAB, torch.device("meta"), torch.float32, (9, 0), "the tensor is on meta"),
        (SPAB, CUDA, torch.float64, (9, 0), "float64 is left to torch"),
        (ELEMENTWISE, CUDA, torch.float32, (9, 0), "has no kernel for elementwise"),
        (UNKNOWN, CUDA, torch.float32, (9, 0), "has no kernel for no_such_op"),
        (SPAB, CUDA, torch.float32, (7, 5), "compute capability 7.5, and 8.0 is the least"),
        (SPAB, CUDA, torch.float32, (), "no GPU that torch can use"),
    ],
)
def test_refusals_say_why(machine, op, device, dtype, capability, words):
    machine(*capability)
    assert words in triton.refusal(op, device, dtype)


@pytest.mark.parametrize(
    ("found", "words"),
    [(None, "triton is not installed"), ("3.3.1", "triton 3.3.1 is too old, 3.4 is the least")],
)
def test_without_a_triton_that_it_knows(machine, monkeypatch, found, words):
    def version(package):
        if found is None:
            raise PackageNotFoundError(package)
        return found

    machine(9, 0)
    monkeypatch.setenv("ESR_KERNELS_BACKEND", "triton")  # whatever else is built
    monkeypatch.setattr(triton, "version", version)
    triton._missing.cache_clear()
    assert triton.refusal(SPAB, CUDA, torch.float32).startswith(words)
    available, detail = triton.describe()
    assert not available and detail.startswith(words)
    assert backends.choose(SPAB, CUDA, torch.float32).backend == backends.REFERENCE


def test_refuses_the_ops_that_failed(machine, monkeypatch):
    machine(9, 0)
    failed = Verdict("", (Outcome("spab float16", ("spab",), "timed out after 60 s"),))
    monkeypatch.setattr(verdicts, "verdict", lambda *question: failed)
    assert triton.refusal(SPAB, CUDA, torch.float16) == "spab float16: timed out after 60 s"
    assert triton.graph_refusal(OPS, CUDA, torch.float16) == "spab float16: timed out after 60 s"
    assert triton.refusal(OPS[0], CUDA, torch.float16) is None


def test_the_interpreter_has_to_be_asked_for_twice(machine, monkeypatch):
    machine()
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.delenv("ESR_KERNELS_BACKEND", raising=False)
    assert triton.refusal(SPAB, CPU, torch.float32) == "the tensor is on cpu"
    monkeypatch.setenv("ESR_KERNELS_BACKEND", "triton")
    assert triton.refusal(SPAB, CPU, torch.float32) is None


def test_describe_says_how_far_it_was_tested(machine):
    machine(9, 0)
    available, detail = triton.describe()
    assert available
    assert all(op.name in detail for op in OPS_HERE) and "never run on a GPU" in detail
    machine()
    available, detail = triton.describe()
    assert not available and "no GPU" in detail and "never run on a GPU" in detail


def test_importing_the_package_does_not_import_triton():
    code = "import sys, esr_kernels; esr_kernels.info(); print('triton' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
