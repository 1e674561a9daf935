"""A backend that gets an op wrong on a device is found out."""

import re

import pytest
import torch
from torch.utils._pytree import tree_map

from esr_kernels.backends import cpu
from esr_kernels.backends.self_check import disagreement
from esr_kernels.ops import ESA, OPS, SPAB

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
        lambda y: y.flip(1),
        # The last column, which fills a tile by itself.
        lambda y: torch.cat([y[..., :-1], y[..., -1:] + 0.1 * y.abs().max()], -1),
        lambda y: torch.full_like(y, float("nan")),
    ],
)
def test_what_is_wrong_is_named(op, dtype, spoil):
    reason = found(op, lambda *args: tree_map(spoil, op.in_torch(*args)), dtype)
    assert re.match("wrong by .*, .* allowed: please report this", reason)


def test_operands_are_made_whatever_the_default_device_is():
    run = SPAB.in_torch
    with torch.device("meta"):
        assert found(SPAB, run) is None


def test_another_shape_and_a_failure_are_wrong_too():
    assert "wrong shape" in found(ESA, lambda *args: args[0][:1])

    def broken(*args):
        raise RuntimeError("no image for this device\nand much more")

    assert found(ESA, broken) == "RuntimeError: no image for this device"


def test_tf32_may_round_as_float16_does():
    def rounded(*args):
        halves = tree_map(lambda a: a.half() if isinstance(a, torch.Tensor) else a, args)
        return tree_map(torch.Tensor.float, SPAB.in_torch(*halves))

    question = SPAB, rounded, CPU, torch.float32
    assert "wrong by" in disagreement(*question)
    assert disagreement(*question, torch.float16) is None
