"""``direct_conv_act`` against its formula: in torch, and as a program of the kernels."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
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
from esr_kernels.ops import DIRECT_CONV_ACT
from esr_kernels.ops._epilogue import ACTIVATIONS
from esr_kernels.ops.direct_conv_act import reference

OP = torch.ops.esr_kernels.direct_conv_act
KERNELS = [  # kernel, dilation, groups
    *[((5, 5), 1, 1), ((7, 7), 1, 1), ((3, 3), 2, 1), ((3, 3), 3, 2), ((1, 11), 1, 1)],
    *[((11, 1), 1, 1), ((3, 3), 1, 2), ((5, 5), 3, 1), ((3, 3), 9, 1), ((17, 17), 1, 2)],
    *[((1, 1), 1, 2), ((3, 1), 1, 1), ((1, 3), 7, 1), ((9, 9), 1, 1)],
]


def centred(n, c, h, w, seed=0, dtype=torch.float32):
    """A picture around zero, so that activations see both signs."""
    return (2 * image(n, c, h, w, seed) - 1).to(dtype)


def arguments(
    n, c, h, w, act="none", co=6, dtype=torch.float32, residual=False, kernel=((5, 5), 1, 1)
):
    """The schema arguments, of one input; SPAB's gate always has its residual."""
    size, dilation, groups = kernel
    weight, bias = conv_weights(co, c // groups, size, dtype)
    u = centred(n, co, h, w, 7, dtype) if residual or act == "span_gate" else None
    return [centred(n, c, h, w, dtype=dtype)], weight, bias, act, 0.05, u, dilation, groups


def in_program(*args):
    """As the kernels compute it, which by itself is left to torch."""
    pytest.importorskip("esr_kernels._C", reason="esr_kernels._C is not built")
    from esr_kernels.backends.cpu.eager import program

    return program(DIRECT_CONV_ACT, *args)


WAYS = pytest.mark.parametrize("run", [OP, in_program], ids=["op", "program"])


@WAYS
@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_kernels(run, kernel):
    for size in [(1, 1), (1, 7), (7, 1), (31, 33), (20, 70)]:
        args = arguments(2, 4, *size, "silu", residual=True, kernel=kernel)
        assert_matches(run(*args), reference, args)
    for c, co in [(26, 28), (48, 4), (52, 46)]:
        args = arguments(1, c, 9, 21, co=co, kernel=kernel)
        assert_matches(run(*args), reference, args)


@WAYS
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("act", ACTIVATIONS)
def test_every_activation(run, act, dtype):
    if run is in_program and dtype != torch.float32:
        pytest.skip("programs compute in float32")
    for residual in (False, True):
        args = arguments(2, 4, 19, 23, act, dtype=dtype, residual=residual)
        assert_matches(run(*args), reference, args)


@WAYS
def test_several_inputs(run):
    inputs, *rest = arguments(2, 9, 13, 17, kernel=((5, 3), 1, 3))
    parts = [amid_nan(part.contiguous()) for part in inputs[0].split([2, 6, 1], 1)]
    assert_matches(run(parts, *rest), reference, (inputs, *rest))


@WAYS
@pytest.mark.parametrize("groups", [1, 2, 3, 6])
@pytest.mark.parametrize("made", [1, 2, 5])
def test_groups(run, groups, made):
    args = arguments(2, 6, 9, 11, co=groups * made, kernel=((3, 5), 1, groups))
    assert_matches(run(*args), reference, args)


@WAYS
@pytest.mark.parametrize(
    ("c", "co", "groups"), [(32, 32, 2), (51, 48, 3), (64, 64, 8), (60, 40, 2)]
)
def test_large_groups(run, c, co, groups):
    """Each is convolved by itself, those of 16 channels or more by Winograd's transform."""
    (x,), *rest = arguments(2, c, 9, 21, "lrelu", co, residual=True, kernel=((3, 3), 1, groups))
    assert_matches(run([x], *rest), reference, ([x], *rest))
    parts = [part.contiguous() for part in x.split([c - 7, 7], 1)]
    assert_matches(run(parts, *rest), reference, ([x], *rest))


@WAYS
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(run, layout):
    (x,), weight, bias, *rest = arguments(3, 5, 9, 11, "span_gate")
    args = [layout(x)], amid_nan(weight), bias, *rest
    ours = run(*args)
    assert_matches(ours, reference, args)
    assert_same_format(args[0][0], ours)


@WAYS
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("kernel", KERNELS[:9], ids=str)
def test_nan_and_infinity_reach_their_neighbours_only(run, kernel, value):
    for y, x in [(6, 8), (0, 0), (10, 12)]:
        args = arguments(1, 4, 11, 13, kernel=kernel)
        args[0][0][0, 2, y, x] = value
        assert torch.equal(run(*args).isfinite(), reference(*args).isfinite())


def test_reference_is_the_formula():
    """The sum of the docstring, tap by tap, at every pixel."""
    args = arguments(1, 4, 5, 6, dtype=torch.float64, kernel=((3, 5), 2, 2))
    (x,), weight, bias, *_ = args
    padded = F.pad(x, (4, 4, 2, 2)).unflatten(1, (2, 2))
    y = bias[:, None, None] + sum(
        torch.einsum(
            "goc,ngchw->ngohw",
            weight.unflatten(0, (2, 3))[..., i, j],
            padded[..., 2 * i : 2 * i + 5, 2 * j : 2 * j + 6],
        ).flatten(1, 2)
        for i in range(3)
        for j in range(5)
    )
    torch.testing.assert_close(reference(*args), y)


@pytest.mark.parametrize("layout", [torch.clone, channels_last])
def test_opcheck(layout):
    (x,), *rest = arguments(2, 4, 6, 7, "span_gate", kernel=((3, 3), 2, 2))
    torch.library.opcheck(OP.default, ([layout(x).requires_grad_()], *rest))


@pytest.mark.parametrize("kernel", [((5, 3), 1, 1), ((3, 3), 2, 2)], ids=str)
def test_gradients(kernel):
    (x,), weight, bias, *rest = arguments(2, 4, 4, 5, "gelu", 2, torch.float64, kernel=kernel)
    args = [x.requires_grad_()], weight.requires_grad_(), bias.requires_grad_(), *rest
    assert_gradients(OP, reference, args)


X, W, B = torch.rand(1, 4, 6, 7), torch.rand(6, 4, 5, 5), torch.rand(6)


@pytest.mark.parametrize(
    ("error", "words", "args", "kwargs"),
    [
        (TypeError, "x must be a torch.Tensor or a list", (1, W), {}),
        (TypeError, "weight must be", (X, None), {}),
        (TypeError, "dilation must be an int", (X, W), {"dilation": (1, 1)}),
        (TypeError, "groups must be an int", (X, W), {"groups": 1.0}),
        (TypeError, "x is uint8; use float32", (X.byte(), W), {}),
        (TypeError, "weight is float16 but x is float32", (X, W.half()), {}),
        (ValueError, "the list of inputs is empty", ([], W), {}),
        (ValueError, "expected [1, 4, 6, 7] (N, H and W of x[0]", ([X, X[..., 1:, :]], W), {}),
        (ValueError, "add the batch with x.unsqueeze(0)", (X[0], W), {}),
        (ValueError, "5x4 kernel, expected odd numbers of taps", (X, W[..., :4]), {}),
        (ValueError, "expected [6, 8, 5, 5] (the channels of x in 1 groups)", ([X, X], W), {}),
        (ValueError, "4 channels cannot become 6 in 3 groups", (X, W), {"groups": 3}),
        (ValueError, "in 0 groups", (X, W), {"groups": 0}),
        (ValueError, "dilation is 0", (X, W), {"dilation": 0}),
        (ValueError, "bias has shape [5], expected [6]", (X, W, B[:5]), {}),
        (ValueError, "expected one of: none, relu", (X, W), {"act": "mish"}),
        (ValueError, "residual has shape [1, 4, 6, 7]", (X, W), {"residual": X}),
    ],
)
def test_bad_input(error, words, args, kwargs):
    assert_refuses(error, words, ops.direct_conv_act, *args, **kwargs)
