"""A backend that gets an op wrong on a device is found out, and refuses it from then on."""

import pytest
import torch
from torch.utils._pytree import tree_map

import esr_kernels.ops  # noqa: F401  (its ops enter their references)
from esr_kernels.backends import cpu, references, triton
from esr_kernels.backends.self_check import disagreement, first_disagreement

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
        lambda y: y.flip(-1),
        # The last column, which fills a tile by itself.
        lambda y: torch.cat([y[..., :-1], y[..., -1:] + 0.1 * y.abs().max()], -1),
        lambda y: torch.full_like(y, float("nan")),
    ],
)
def test_what_is_wrong_is_named(op, dtype, spoil):
    reason = found(op, lambda *args: tree_map(spoil, references[op](*args)), dtype)
    assert f"{op} gives wrong results on cpu (error" in reason


def test_operands_are_made_whatever_the_default_device_is():
    run = references["spab"]
    with torch.device("meta"):
        assert found("spab", run) is None


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
    right = references["conv_act"]
    runs = references | {"conv_act": lambda *args: right(*args) + 1}
    monkeypatch.setattr(triton, "implementation", lambda op: runs[op])
    assert "conv_act gives wrong" in triton.refusal("conv_act", CPU, torch.float32)
    assert "conv_act gives wrong" in triton.refusal("graph", CPU, torch.float32)
    assert triton.refusal("esa", CPU, torch.float32) is None


def test_an_op_is_tried_once():
    asked = []

    def implementation(op):
        asked.append(op)
        return references[op]

    for _ in range(2):
        for ops in (("esa",), ("spab", "esa")):
            dtypes = torch.float16, torch.float16
            assert first_disagreement(ops, implementation, CPU, *dtypes) is None
    assert asked == ["esa", "spab", "esa"]


def test_tf32_may_round_as_float16_does():
    def rounded(*args):
        halves = tree_map(lambda a: a.half() if isinstance(a, torch.Tensor) else a, args)
        return tree_map(torch.Tensor.float, references["spab"](*halves))

    question = "spab", rounded, references["spab"], CPU, torch.float32
    assert "gives wrong results" in disagreement(*question)
    assert disagreement(*question, torch.float16) is None
