"""A backend that gets an op wrong on a device is found out, and refuses it from then on."""

import pytest
import torch
from torch.utils._pytree import tree_map

import esr_kernels.ops  # noqa: F401  (its ops enter their references)
from esr_kernels.backends import cpu, references, triton
from esr_kernels.backends.self_check import disagreement

CPU = torch.device("cpu")
DTYPES = [torch.float32, torch.float16, torch.bfloat16]


def found(op, run, dtype=torch.float32):
    return disagreement(op, run, references[op], CPU, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", references)
def test_what_is_right_passes(op, dtype):
    if cpu.refusal(op, CPU, dtype) is None:
        assert found(op, cpu.implementation(op), dtype) is None
    assert found(op, references[op], dtype) is None


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", references)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda y: y * 1.05,
        lambda y: y.flip(3),
        # The last column, which fills a tile by itself.
        lambda y: torch.cat([y[..., :-1], y[..., -1:] + 0.1 * y.abs().max()], 3),
        lambda y: torch.full_like(y, float("nan")),
    ],
)
def test_what_is_wrong_is_named(op, dtype, spoil):
    reason = found(op, lambda *args: tree_map(spoil, references[op](*args)), dtype)
    assert f"{op} gives wrong results on cpu (error" in reason


def test_another_shape_and_a_failure_are_wrong_too():
    assert "another shape" in found("esa", lambda *args: args[0][:1])

    def broken(*args):
        raise RuntimeError("no image for this device\nand much more")

    assert found("esa", broken) == "esa fails on cpu: RuntimeError: no image for this device"


def test_triton_refuses_what_it_gets_wrong(monkeypatch):
    if not triton._INSTALLED:
        pytest.skip("triton is not installed")
    monkeypatch.setattr(triton, "_is_gpu", lambda device: True)
    monkeypatch.setattr(triton, "_claims_not", lambda op, device, dtype: None)
    right = references["conv3x3_act"]
    runs = references | {"conv3x3_act": lambda *args: right(*args) + 1}
    monkeypatch.setattr(triton, "implementation", runs.__getitem__)
    triton._wrong.cache_clear()
    try:
        assert "conv3x3_act gives wrong" in triton.refusal("conv3x3_act", CPU, torch.float32)
        assert "conv3x3_act gives wrong" in triton.refusal("graph", CPU, torch.float32)
        assert triton.refusal("esa", CPU, torch.float32) is None
    finally:
        triton._wrong.cache_clear()
