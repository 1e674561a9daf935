"""Which backend is chosen, and what is said of the others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from images import image
from torch import nn

import esr_kernels
from esr_kernels import backends
from esr_kernels.backends import cpu
from esr_kernels.ops import OPS, SPAB

CPU = torch.device("cpu")
UNKNOWN = SimpleNamespace(name="no_such_op")
PROJECT = Path(__file__).resolve().parents[2]
built = pytest.mark.skipif(cpu._C is None, reason="esr_kernels._C is not built")


@pytest.fixture(autouse=True)
def no_overrides(monkeypatch):
    monkeypatch.delenv("ESR_KERNELS_BACKEND", raising=False)
    monkeypatch.delenv("ESR_KERNELS_ISA", raising=False)


def small_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.SiLU()).eval().requires_grad_(False)


@built
@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_cpu_takes_its_ops(op, dtype):
    choice = backends.choose(op, CPU, dtype)
    assert choice.backend == "cpu" and callable(choice.run) and choice.refusals == ()


@built
@pytest.mark.parametrize(
    ("op", "device", "dtype", "words"),
    [
        (SPAB, "meta", torch.float32, "the tensor is on meta"),
        (SPAB, "cuda", torch.float32, "the tensor is on cuda"),
        (SPAB, "cpu", torch.float64, "float64 is left to torch"),
        (SPAB, "cpu", torch.int8, "int8 is left to torch"),
        (UNKNOWN, "cpu", torch.float32, "has no kernel for no_such_op"),
    ],
)
def test_refusals_say_why(op, device, dtype, words):
    choice = backends.choose(op, torch.device(device), dtype)
    assert choice.backend == backends.REFERENCE and choice.run is None
    assert choice.refusals[0] == ("cpu", words)


@built
@pytest.mark.parametrize(
    ("name", "chosen"), [("reference", "reference"), ("cpu", "cpu"), ("", "cpu")]
)
def test_backend_override(name, chosen, monkeypatch):
    monkeypatch.setenv("ESR_KERNELS_BACKEND", name)
    assert backends.choose(SPAB, CPU, torch.float32).backend == chosen
    model = esr_kernels.accelerate(small_network())
    assert {line.backend for line in esr_kernels.explain(model).lines} == {chosen}


@built
def test_only_for_a_while(monkeypatch):
    monkeypatch.setenv("ESR_KERNELS_BACKEND", "cpu")
    with backends.only("reference"):
        assert backends.choose(SPAB, CPU, torch.float32).backend == "reference"
        assert backends.usable(CPU) == ["reference"]
    assert backends.choose(SPAB, CPU, torch.float32).backend == "cpu"
    assert backends.usable(CPU) == ["cpu", "reference"]
    assert backends.usable(torch.device("meta")) == ["reference"]


@pytest.mark.parametrize("name", ["nonsense", "CPU", "avx2"])
def test_unknown_backend(name, monkeypatch):
    monkeypatch.setenv("ESR_KERNELS_BACKEND", name)
    for call in (
        lambda: backends.choose(SPAB, CPU, torch.float32),
        lambda: esr_kernels.ops.conv_act(torch.rand(1, 1, 4, 4), torch.rand(1, 1, 3, 3)),
        lambda: esr_kernels.accelerate(small_network()),
    ):
        with pytest.raises(ValueError, match=f"'{name}' is no backend; use one of: cpu, "):
            call()


@built
def test_every_instruction_set_can_be_asked_for(monkeypatch, tolerance):
    from esr_kernels.backends.cpu.builder import isa

    assert isa() == cpu._C.isas()[0]
    assert set(cpu._C.isas()) <= set(cpu._C.built_isas())
    x, plain = image(1, 3, 9, 11), small_network()
    with torch.inference_mode():
        exact = small_network().double()(x.double())
        for name in cpu._C.isas():
            monkeypatch.setenv("ESR_KERNELS_ISA", name)
            assert isa() == name and f"uses {name};" in backends.describe()[0][2]
            tolerance(esr_kernels.accelerate(small_network())(x), plain(x), exact)


@built
@pytest.mark.parametrize("name", ["mmx", "AVX2", "neon,sse2"])
def test_unknown_instruction_set(name, monkeypatch):
    monkeypatch.setenv("ESR_KERNELS_ISA", name)
    weight = torch.rand(1, 1, 3, 3)
    for call in (
        lambda: esr_kernels.accelerate(small_network()),
        lambda: esr_kernels.ops.conv_act(torch.rand(1, 1, 4, 4), weight),
    ):
        why = f"'{name}' does not run here: it was not built; use one of: .*\\w"
        with pytest.raises(ValueError, match=why):
            call()


@built
def test_an_instruction_set_that_the_machine_lacks(monkeypatch):
    from esr_kernels.backends.cpu import builder

    here = SimpleNamespace(isas=lambda: ["sse2"], missing=lambda: [("amx", "no AMX tiles")])
    monkeypatch.setattr(builder, "_C", here)
    monkeypatch.setenv("ESR_KERNELS_ISA", "amx")
    with pytest.raises(ValueError, match="'amx' does not run here: no AMX tiles; use one of: sse2"):
        builder.isa()


@built
def test_describe_survives_an_unknown_instruction_set(monkeypatch):
    """``info`` is what a user runs to find out what is wrong."""
    monkeypatch.setenv("ESR_KERNELS_ISA", "mmx")
    name, available, detail = backends.describe()[0]
    assert name == "cpu" and not available and "'mmx' does not run here" in detail


@built
def test_describe():
    rows = backends.describe()
    assert [name for name, _, _ in rows] == ["cpu", "cuda", "triton", "reference"]
    assert rows[0][1] and rows[-1][1]
    assert rows[0][2].startswith(f"uses {cpu._C.isas()[0]}; built, and tested on: ")
    assert all(isa in rows[0][2] for isa in cpu._C.built_isas())


def test_missing_is_about_the_device(monkeypatch):
    rows = [("cpu", False, "no compiler"), ("cuda", False, "no nvcc"), ("triton", False, "no GPU")]
    monkeypatch.setattr("esr_kernels.backends.choice.describe", lambda: rows)
    assert backends.missing(CPU) == "no compiler"
    assert backends.missing(torch.device("cuda")) == "no nvcc; no GPU"
    assert backends.missing(torch.device("meta")) is None
    rows[0] = ("cpu", True, "uses avx2")
    assert backends.missing(CPU) is None
    rows[2] = ("triton", True, "")
    assert backends.missing(torch.device("cuda")) is None


def test_without_the_module(monkeypatch):
    reason = "esr_kernels._C is not built (gone); run this"
    monkeypatch.setattr(cpu, "_C", None)
    monkeypatch.setattr(cpu, "_WHY_NOT", reason, raising=False)
    choice = backends.choose(SPAB, CPU, torch.float32)
    assert choice.run is None and choice.refusals[0] == ("cpu", reason)
    assert choice.why(CPU) == reason  # and not that it is on no GPU
    assert backends.describe()[0] == ("cpu", False, reason)
    x, plain = image(1, 3, 7, 9), small_network()
    model = esr_kernels.accelerate(small_network())
    with torch.inference_mode():
        torch.testing.assert_close(model(x), plain(x))
    assert {line.backend for line in esr_kernels.explain(model).lines} == {"reference"}


def test_an_import_that_fails_is_explained():
    """As after an installation without a compiler: a fresh process whose ``_C`` is missing."""
    code = (
        "import sys; sys.modules['esr_kernels._C'] = None\n"
        "import torch, esr_kernels\nfrom esr_kernels import backends\n"
        "print(backends.choose('spab', torch.device('cpu'), torch.float32).refusals[0][1])\n"
        "x = torch.ones(1, 1, 3, 3)\n"
        "print(int(esr_kernels.ops.conv_act(x, x).sum()))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    reason, total = done.stdout.splitlines()
    assert "no compiled kernels" in reason and "install" in reason
    assert total == "49"


def test_bind_without_a_backend(monkeypatch):
    monkeypatch.setenv("ESR_KERNELS_BACKEND", "reference")
    graph = torch.fx.symbolic_trace(small_network())
    bound = backends.bind(graph, CPU, torch.float32)
    assert {a.backend for a in bound.assignments.values()} == {"reference"}
    x = image(1, 3, 5, 6)
    assert torch.equal(bound.run(x), small_network()(x))
