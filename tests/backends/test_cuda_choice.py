"""When the CUDA backend computes, and what it says when it does not."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from esr_kernels import backends
from esr_kernels.backends import cuda, gpu, verdicts
from esr_kernels.backends.check_process import Outcome
from esr_kernels.backends.cuda import device
from esr_kernels.backends.cuda.device import limits
from esr_kernels.backends.verdicts import Verdict
from esr_kernels.ops import CONV3X3_PIXEL_SHUFFLE, CONV_ACT, ELEMENTWISE, ESA, SPAB

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
OPS = (CONV_ACT, SPAB, ESA, CONV3X3_PIXEL_SHUFFLE)
UNKNOWN = SimpleNamespace(name="no_such_op")
TARGETS = ("sm_80", "compute_80")


@pytest.fixture
def machine(pretend_gpu, monkeypatch):
    """``pretend_gpu``, and that the kernels are built."""
    kernels = SimpleNamespace(targets=TARGETS, forms=lambda: ["a form"])
    monkeypatch.setattr(cuda, "_C", SimpleNamespace(cuda=kernels))
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    # No kernel can be tried out on a GPU that is not there.
    monkeypatch.setattr(verdicts, "verdict", lambda *question: Verdict("", ()))
    return pretend_gpu


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("capability", [(8, 0), (8, 9), (9, 0), (12, 0)], ids=str)
def test_takes_its_ops_on_a_gpu(machine, op, dtype, capability):
    machine(*capability)
    assert cuda.refusal(op, CUDA, dtype) is None
    assert cuda.graph_refusal({op}, CUDA, dtype) is None


@pytest.mark.parametrize(
    ("op", "device", "dtype", "capability", "words"),
    [
        (SPAB, CPU, torch.float16, (9, 0), "the tensor is on cpu"),
        (SPAB, torch.device("meta"), torch.float16, (9, 0), "the tensor is on meta"),
        (SPAB, CUDA, torch.float64, (9, 0), "float64 is left to torch"),
        (ELEMENTWISE, CUDA, torch.float16, (9, 0), "has no kernel for elementwise"),
        (UNKNOWN, CUDA, torch.float16, (9, 0), "has no kernel for no_such_op"),
        (SPAB, CUDA, torch.float16, (7, 5), "compute capability 7.5, and 8.0 is the least"),
        (SPAB, CUDA, torch.float16, (), "no GPU that torch can use"),
    ],
)
def test_refusals_say_why(machine, op, device, dtype, capability, words):
    machine(*capability)
    assert words in cuda.refusal(op, device, dtype)


def test_float32_is_taken_only_as_tf32(machine, monkeypatch):
    machine(9, 0)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    assert cuda.refusal(SPAB, CUDA, torch.float32) == "float32 without TF32 is left to Triton"
    assert cuda.refusal(SPAB, CUDA, torch.float16) is None


def test_without_nvcc(machine, monkeypatch):
    machine(9, 0)
    for absent in (SimpleNamespace(), None):  # no CUDA kernels; no compiled kernels at all
        monkeypatch.setattr(cuda, "_C", absent)
        assert "install nvcc" in cuda.refusal(SPAB, CUDA, torch.float16)
        available, detail = cuda.describe()
        assert not available and detail.startswith("built without")


def test_comes_before_triton(machine):
    machine(9, 0)
    choice = backends.choose(SPAB, CUDA, torch.float16)
    assert choice.backend == "cuda" and [name for name, _ in choice.refusals] == ["cpu"]


def test_refuses_the_ops_of_a_kernel_that_failed(machine, monkeypatch):
    machine(9, 0)
    asked = []

    def verdict(backend, device, numbers):
        asked.append((backend, device, numbers))
        return Verdict("", (Outcome("a form", ("spab", "conv_act"), "wrong by 1"),))

    monkeypatch.setattr(verdicts, "verdict", verdict)
    assert cuda.refusal(CONV_ACT, CUDA, torch.bfloat16) == "a form: wrong by 1"
    assert cuda.graph_refusal((ESA, SPAB), CUDA, torch.bfloat16) == "a form: wrong by 1"
    assert cuda.refusal(ESA, CUDA, torch.float32) is None
    assert cuda.graph_refusal((ESA,), CUDA, torch.float16) is None
    assert [numbers for *_, numbers in asked] == ["bfloat16", "bfloat16", "tf32", "float16"]


def test_describe_says_how_far_it_was_tested(machine):
    machine(9, 0)
    available, detail = cuda.describe()
    assert available and all(op.name in detail for op in OPS)
    assert "sm_80, compute_80" in detail and "never run on a GPU" in detail
    machine()
    available, detail = cuda.describe()
    assert not available and "no GPU" in detail and "never run on a GPU" in detail


def test_the_kernels_are_built_for_what_they_say():
    if not cuda._is_built():
        pytest.skip("esr_kernels._C is built without CUDA kernels")
    targets = cuda._C.cuda.targets
    machine_code = [target for target in targets if target.startswith("sm_")]
    oldest, newest = machine_code[0], machine_code[-1]
    ptx = dict.fromkeys(target.replace("sm_", "compute_") for target in (oldest, newest))
    assert targets == (*machine_code, *ptx)


def test_importing_the_package_asks_for_no_driver():
    """In a process that cannot see a GPU, even where there is one."""
    code = "import esr_kernels; print(esr_kernels.info())"
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert "cuda" in done.stdout


@pytest.mark.parametrize(
    ("told", "shared_bytes"),
    [({}, 99 * 1024), ({"shared_memory_per_block_optin": 227 * 1024}, 227 * 1024)],
)
def test_limits_of_a_device(monkeypatch, told, shared_bytes):
    found = SimpleNamespace(multi_processor_count=132, major=9, minor=0, **told)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: found)
    assert limits.__wrapped__(CUDA) == (132, shared_bytes, False)


@pytest.mark.parametrize(
    ("capability", "faster"),
    [
        *[((8, 6), True), ((8, 9), True), ((12, 0), True), ((12, 1), True)],
        *[((8, 0), False), ((8, 7), False), ((9, 0), False), ((10, 0), False), ((11, 0), False)],
    ],
)
def test_half_sums_are_kept_where_they_are_faster(monkeypatch, capability, faster):
    found = SimpleNamespace(multi_processor_count=1, major=capability[0], minor=capability[1])
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: found)
    monkeypatch.setattr(device, "limits", limits.__wrapped__)
    assert not device.sums_in_float16(CUDA)
    monkeypatch.setattr(gpu, "allows_float16_sums", lambda: True)
    assert device.sums_in_float16(CUDA) == faster
    expected = torch.bfloat16 if faster else torch.float16
    assert cuda.rounding(torch.float16, CUDA) == expected
