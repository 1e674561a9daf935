"""``channel_join`` by itself, which is torch's; as a step it is in ``test_resized_programs.py``."""

from __future__ import annotations

import pytest
import torch
from images import image
from operands import (
    DTYPES,
    LAYOUTS,
    amid_nan,
    assert_gradients,
    assert_matches,
    assert_refuses,
    assert_same_format,
    channels_last,
)

from esr_kernels import ops
from esr_kernels.ops.channel_join import reference

CASES = [1, 2, 3]  # inputs


def arguments(case, dtype=torch.float32, n=2, c=5, size=(17, 20)):
    """The schema arguments."""
    sizes = [c + i for i in range(case)]
    return ([(4 * image(n, each, *size) - 1).to(dtype) for each in sizes],)


def call(args):
    """The public function with the schema arguments."""
    return ops.channel_join(*args)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", CASES)
def test_cases(case, dtype):
    for channels, size in [(1, (8, 8)), (26, (31, 33)), (52, (9, 64))]:
        args = arguments(case, dtype, c=channels, size=size)
        assert_matches(call(args), reference, args)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout):
    (inputs,) = arguments(3, n=3)
    args = ([layout(inputs[0]), amid_nan(inputs[1]), inputs[2]],)
    ours = call(args)
    assert_matches(ours, reference, args)
    assert_same_format(args[0][0], ours)


@pytest.mark.parametrize("layout", [torch.clone, channels_last, amid_nan])
@pytest.mark.parametrize("case", CASES)
def test_opcheck(case, layout):
    (inputs,) = arguments(case, size=(8, 9))
    args = ([layout(x).requires_grad_() for x in inputs],)
    torch.library.opcheck(torch.ops.esr_kernels.channel_join.default, args)


def test_gradients():
    (inputs,) = arguments(2, torch.float64, n=1, c=2, size=(8, 9))
    args = ([x.requires_grad_() for x in inputs],)
    assert_gradients(torch.ops.esr_kernels.channel_join, reference, args)


@pytest.mark.parametrize(
    ("error", "words", "x"),
    [
        (TypeError, "x must be a list of tensors, not Tensor", torch.rand(1, 5, 9, 9)),
        (TypeError, "x must be a torch.Tensor, not int", [torch.rand(1, 5, 9, 9), 1]),
        (TypeError, "x[0] is uint8; use float32", [torch.ones(1, 5, 9, 9).byte()]),
        (ValueError, "the list of inputs is empty", []),
        (ValueError, "x[1] has shape [1, 5, 9, 8]", [torch.rand(1, 5, 9, w) for w in (9, 8)]),
    ],
)
def test_bad_input(error, words, x):
    assert_refuses(error, words, ops.channel_join, x)
