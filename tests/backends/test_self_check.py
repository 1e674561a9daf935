"""A backend that gets an op wrong on a device is found out, and refuses it from then on."""

import pytest
import torch
from torch.utils._pytree import tree_map

from esr_kernels.backends import cpu, triton
from esr_kernels.backends.self_check import disagreement, first_disagreement
from esr_kernels.ops import CONV_ACT, ESA, OPS, SPAB

CPU = torch.device("cpu")
DTYPES = [torch.float32, torch.float16, torch.bfloat16]


def found(op, run, dtype=torch.float32):
    return disagreement(op, run, CPU, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_what_is_right_passes(op, dtype):
    if cpu.refusal(op, CPU, dtype) is None:
        assert found(op, cpu.implementation(op), dtype) is None
    assert found(op, op.in_torch, dtype) is None


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda y: y * 1.05,
        lambda y: y.flip(-1),
        # The last column, which fills a tile by itself.
        lambda y: torch.cat([y[..., :-1], y[..., -1:] + 0.1 * y.abs().max()], -1),
        lambda y: torch.full_like(y, float("nan")),
    ],
)
def test_what_is_wrong_is_named(op, dtype, spoil):
    reason = found(op, lambda *args: tree_map(spoil, op.in_torch(*args)), dtype)
    assert f"{op.name} gives wrong results on cpu (error" in reason


def test_operands_are_made_whatever_the_default_device_is():
    run = SPAB.in_torch
    with torch.device("meta"):
        assert found(SPAB, run) is None


def test_another_shape_and_a_failure_are_wrong_too():
    assert "another shape" in found(ESA, lambda *args: args[0][:1])

    def broken(*args):
        raise RuntimeError("no image for this device\nand much more")

    assert found(ESA, broken) == "esa fails on cpu: RuntimeError: no image for this device"


def test_triton_refuses_what_it_gets_wrong(monkeypatch):
    if not triton._INSTALLED:
        pytest.skip("triton is not installed")
    monkeypatch.setattr(triton, "_is_gpu", lambda device: True)
    monkeypatch.setattr(triton, "_claims_not", lambda device, dtype: None)
    runs = {op: op.in_torch for op in OPS}
    runs[CONV_ACT] = lambda *args: CONV_ACT.in_torch(*args) + 1
    monkeypatch.setattr(triton, "implementation", lambda op: runs[op])
    assert "conv_act gives wrong" in triton.refusal(CONV_ACT, CPU, torch.float32)
    assert "conv_act gives wrong" in triton.graph_refusal(OPS, CPU, torch.float32)
    assert triton.refusal(ESA, CPU, torch.float32) is None


def test_an_op_is_tried_once():
    asked = []

    def implementation(op):
        asked.append(op)
        return op.in_torch

    for _ in range(2):
        for ops in ((ESA,), (SPAB, ESA)):
            dtypes = torch.float16, torch.float16
            assert first_disagreement(ops, implementation, CPU, *dtypes) is None
    assert asked == [ESA, SPAB, ESA]


def test_tf32_may_round_as_float16_does():
    def rounded(*args):
        halves = tree_map(lambda a: a.half() if isinstance(a, torch.Tensor) else a, args)
        return tree_map(torch.Tensor.float, SPAB.in_torch(*halves))

    question = SPAB, rounded, CPU, torch.float32
    assert "gives wrong results" in disagreement(*question)
    assert disagreement(*question, torch.float16) is None
