"""``resample`` by itself, which is torch's; as a step it is in ``test_resized_programs.py``."""

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
from esr_kernels.ops.resample import reference

#: Size of what to be like or None, factor, mode.
CASES = [
    ((31, 33), 1, "bilinear"),
    ((5, 40), 1, "nearest"),
    (None, 2, "nearest"),
    (None, 3, "bilinear"),
]


def arguments(case, dtype=torch.float32, n=2, c=5, size=(17, 20)):
    """The schema arguments."""
    x = (4 * image(n, c, *size) - 1).to(dtype)
    return x, None if case[0] is None else x.new_ones(n, 3, *case[0]), *case[1:]


def call(args):
    """The public function with the schema arguments."""
    return ops.resample(args[0], args[1], factor=args[2], mode=args[3])


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
        torch.ops.esr_kernels.resample.default, (layout(x).requires_grad_(), *rest)
    )


def test_gradients():
    x, *rest = arguments(CASES[0], torch.float64, n=1, c=2, size=(8, 9))
    args = x.requires_grad_(), *rest
    assert_gradients(torch.ops.esr_kernels.resample, reference, args)


@pytest.mark.parametrize(
    ("error", "words", "position", "value"),
    [
        (TypeError, "x must be a torch.Tensor, not list", 0, [torch.rand(1, 5, 9, 9)]),
        (TypeError, "x is uint8; use float32", 0, torch.ones(1, 5, 9, 9).byte()),
        (ValueError, "expected [N, C, H, W]", 0, torch.rand(5, 9, 9)),
        (ValueError, "x is empty", 0, torch.rand(1, 5, 0, 9)),
        (TypeError, "like must be a torch.Tensor or None", 1, (9, 9)),
        (TypeError, "like is float64 but x is float32", 1, torch.rand(2, 3, 9, 9).double()),
        (ValueError, "like has 1 pictures, but x has 2", 1, torch.rand(1, 3, 9, 9)),
        (ValueError, "mode is 'cubic', expected one of", 3, "cubic"),
    ],
)
def test_bad_input(error, words, position, value):
    args = list(arguments(CASES[0]))
    args[position] = value
    assert_refuses(error, words, call, args)
