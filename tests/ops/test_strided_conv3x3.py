"""``strided_conv3x3`` by itself, in torch; as a step it is in ``test_resized_programs.py``."""

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
    conv_weights,
)

from esr_kernels import ops
from esr_kernels.ops.strided_conv3x3 import reference

CASES = [(26, True), (3, False), (1, True)]  # output channels, bias


def arguments(case, dtype=torch.float32, n=2, c=5, size=(17, 20)):
    """The schema arguments."""
    x = (4 * image(n, c, *size) - 1).to(dtype)
    weight, bias = conv_weights(case[0], c, 3, dtype)
    return x, weight, bias if case[1] else None


def call(args):
    """The public function with the schema arguments."""
    return ops.strided_conv3x3(*args)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", CASES)
def test_cases(case, dtype):
    for channels, size in [(1, (8, 8)), (26, (31, 33)), (52, (9, 64))]:
        args = arguments(case, dtype, c=channels, size=size)
        assert_matches(call(args), reference, args)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout):
    x, *rest = arguments(CASES[0], n=3)
    args = layout(x), *rest
    ours = call(args)
    assert_matches(ours, reference, args)
    assert_same_format(args[0], ours)


@pytest.mark.parametrize("layout", [torch.clone, channels_last, amid_nan])
@pytest.mark.parametrize("case", CASES)
def test_opcheck(case, layout):
    x, *rest = arguments(case, size=(8, 9))
    torch.library.opcheck(
        torch.ops.esr_kernels.strided_conv3x3.default, (layout(x).requires_grad_(), *rest)
    )


def test_gradients():
    x, *rest = arguments(CASES[0], torch.float64, n=1, c=2, size=(8, 9))
    args = x.requires_grad_(), *rest
    assert_gradients(torch.ops.esr_kernels.strided_conv3x3, reference, args)


@pytest.mark.parametrize(
    ("error", "words", "position", "value"),
    [
        (TypeError, "x must be a torch.Tensor, not list", 0, [torch.rand(1, 5, 9, 9)]),
        (TypeError, "x is uint8; use float32", 0, torch.ones(1, 5, 9, 9).byte()),
        (ValueError, "expected [N, C, H, W]", 0, torch.rand(5, 9, 9)),
        (ValueError, "x is empty", 0, torch.rand(1, 5, 0, 9)),
        (ValueError, "at least 3x3; pad the picture", 0, torch.rand(1, 5, 2, 9)),
        (ValueError, "weight has a 1x1 kernel, expected 3x3", 1, torch.rand(26, 5, 1, 1)),
        (ValueError, "so it takes 4 channels, but is given 5", 1, torch.rand(26, 4, 3, 3)),
        (ValueError, "bias has shape [3], expected [26]", 2, torch.rand(3)),
    ],
)
def test_bad_input(error, words, position, value):
    args = list(arguments(CASES[0]))
    args[position] = value
    assert_refuses(error, words, call, args)
