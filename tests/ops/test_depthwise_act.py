"""``depthwise_act`` against its plain-torch formula."""

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
    contiguous,
    conv_weights,
    every_second,
    transposed,
)

from esr_kernels import ops
from esr_kernels.ops._epilogue import ACTIVATIONS
from esr_kernels.ops.depthwise_act import reference

OP = torch.ops.esr_kernels.depthwise_act


def centred(n, c, h, w, seed=0, dtype=torch.float32):
    """A picture around zero, so that activations see both signs."""
    return (2 * image(n, c, h, w, seed) - 1).to(dtype)


def arguments(
    n,
    c,
    h,
    w,
    act="none",
    ci=None,
    dtype=torch.float32,
    residual=False,
    kernel=(3, 3),
    dilation=1,
    padding_mode="zeros",
):
    """The schema arguments; with a pointwise convolution from ``ci`` channels if that is given.

    SPAB's gate always has its residual.
    """
    weight, bias = conv_weights(c, 1, kernel, dtype)
    pointwise = (None, None) if ci is None else conv_weights(c, ci, 1, dtype)
    u = centred(n, c, h, w, seed=7, dtype=dtype) if residual or act == "span_gate" else None
    x = centred(n, ci or c, h, w, dtype=dtype)
    return x, weight, bias, act, 0.05, u, *pointwise, dilation, padding_mode


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("act", ACTIVATIONS)
@pytest.mark.parametrize("ci", [None, 13])
def test_every_activation(act, ci, dtype):
    for residual in (False, True):
        args = arguments(2, 11, 19, 23, act, ci, dtype, residual)
        assert_matches(OP(*args), reference, args)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (2, 5), (31, 33), (64, 65)], ids=str)
def test_sizes(size, dtype):
    for n, ci, c in [(1, None, 28), (3, 26, 26), (2, 28, 3), (2, 3, 48)]:
        args = arguments(n, c, *size, "silu", ci, dtype)
        assert_matches(OP(*args), reference, args)


@pytest.mark.parametrize("c", [1, 3, 16, 26, 28, 46, 48, 52, 112])
def test_channels(c):
    for ci in (None, 1, c, c + 3):
        args = arguments(2, c, 17, 21, "lrelu", ci, residual=True)
        assert_matches(OP(*args), reference, args)


KERNELS = [
    *[((5, 5), 1), ((7, 7), 1), ((1, 11), 1), ((11, 1), 1), ((3, 3), 2), ((3, 3), 3), ((5, 5), 3)],
    *[((3, 3), 9), ((13, 13), 1), ((17, 17), 1), ((1, 1), 1), ((3, 1), 1), ((1, 3), 7)],
]


@pytest.mark.parametrize(("kernel", "dilation"), KERNELS, ids=str)
def test_kernels(kernel, dilation):
    options = {"kernel": kernel, "dilation": dilation}
    for size in [(1, 1), (1, 7), (7, 1), (31, 33), (64, 65), (3, 600)]:
        args = arguments(2, 5, *size, "silu", residual=True, **options)
        assert_matches(OP(*args), reference, args)
    for c, layout in [(26, channels_last), (28, every_second), (48, contiguous), (52, transposed)]:
        x, *rest = arguments(2, c, 9, 21, **options)
        assert_matches(OP(layout(x), *rest), reference, (layout(x), *rest))
    args = arguments(1, 4, 12, 14, "gelu", 3, torch.bfloat16, **options)
    assert_matches(OP(*args), reference, args)


REFLECTED = [((3, 3), 1), ((1, 3), 1), ((3, 1), 1), ((5, 5), 1), ((3, 3), 3), ((7, 1), 2)]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(("kernel", "dilation"), REFLECTED, ids=str)
def test_edges_are_reflected(kernel, dilation, threads):
    """Where they can be: other pictures are refused, by the op and by its program."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    reach = [dilation * (k // 2) for k in kernel]
    options = {"kernel": kernel, "dilation": dilation, "padding_mode": "reflect"}
    for h, w in [
        (2, 2),
        (4, 5),
        (7, 7),
        (8, 64),
        (9, 65),
        (33, 127),
        (70, 20),
        (14, 513),
        (8, 600),
    ]:
        args = arguments(2, 5, h, w, "gelu", 4, residual=True, **options)
        if reach[0] < h and reach[1] < w:
            assert_matches(OP(*args), reference, args)
        else:
            with pytest.raises(ValueError, match="cannot be reflected"):
                OP(*args)
    torch.set_num_threads(before)


def test_an_unknown_padding_mode_is_refused():
    with pytest.raises(ValueError, match="'circular', expected 'zeros' or 'reflect'"):
        ops.depthwise_act(image(1, 3, 9, 9), torch.ones(3, 1, 3, 3), padding_mode="circular")


@pytest.mark.parametrize(("kernel", "dilation"), [((5, 3), 2), ((7, 7), 1)], ids=str)
def test_gradients_of_large_kernels(kernel, dilation):
    args = arguments(2, 3, 7, 8, ci=2, dtype=torch.float64, kernel=kernel, dilation=dilation)
    for leaf in args:
        if isinstance(leaf, torch.Tensor):
            leaf.requires_grad_()
    assert_gradients(OP, reference, args)


def test_large_picture():
    args = arguments(1, 12, 130, 301, "silu", 10)
    assert_matches(OP(*args), reference, args)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("ci", [None, 6])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout, ci, dtype):
    x, weight, bias, act, slope, u, *rest = arguments(3, 5, 9, 11, "span_gate", ci, dtype)
    args = layout(x), amid_nan(weight), bias, act, slope, layout(u), *rest
    ours = OP(*args)
    assert_matches(ours, reference, args)
    assert_same_format(args[0], ours)


def test_strided_weights():
    x, _, _, *epilogue, _, _, _, _ = arguments(2, 6, 9, 11, "relu", 6)
    weight = conv_weights(6, 2)[0][:, 1:]
    pointwise = conv_weights(6, 6, 1)[0].transpose(0, 1)
    biases = torch.linspace(-1, 1, 12)[::2], torch.linspace(1, -2, 18)[::3]
    args = x, weight, biases[0], *epilogue, pointwise, biases[1], 1, "zeros"
    assert_matches(OP(*args), reference, args)


def test_reference_is_the_formula():
    """The sum of the docstring, tap by tap, at every pixel."""
    args = arguments(1, 3, 5, 6, ci=4, dtype=torch.float64)
    x, weight, bias, _, _, _, pointwise, pointwise_bias, *_ = args
    p = torch.einsum("ci,nihw->nchw", pointwise[:, :, 0, 0], x) + pointwise_bias[:, None, None]
    padded = F.pad(p, (1, 1, 1, 1))
    y = bias[:, None, None] + sum(
        weight[:, 0, i, j, None, None] * padded[:, :, i : i + 5, j : j + 6]
        for i in range(3)
        for j in range(3)
    )
    torch.testing.assert_close(reference(*args), y)


@pytest.mark.parametrize("size", [(1, 1), (4, 5), (7, 67)], ids=str)
def test_the_pointwise_bias_is_not_in_the_padding(size):
    weight, pointwise = torch.ones(3, 1, 3, 3), torch.zeros(3, 2, 1, 1)
    y = ops.depthwise_act(
        torch.zeros(1, 2, *size), weight, pointwise=pointwise, pointwise_bias=torch.ones(3)
    )
    taps = F.conv2d(torch.ones(1, 1, *size), torch.ones(1, 1, 3, 3), padding=1)
    assert torch.equal(y, taps.expand_as(y))


def test_no_bias_and_slope():
    x, weight = centred(1, 4, 9, 9), conv_weights(4, 1)[0]
    pointwise = conv_weights(4, 4, 1)[0]
    for slope in (0.0, 0.2, -1.0, 3.0):
        args = x, weight, None, "lrelu", slope, None, pointwise, None, 1, "zeros"
        ours = ops.depthwise_act(x, weight, act="lrelu", slope=slope, pointwise=pointwise)
        assert_matches(ours, reference, args)


@pytest.mark.parametrize("act", ACTIVATIONS)
def test_far_from_zero(act):
    """Activations of what the weights cannot hide: the bias alone, up to where exp overflows."""
    bias = torch.tensor([-3e38, -1e4, -100, -88.8, -9, -1e-6, 0, 1e-6, 9, 88.8, 100, 1e4])
    u = torch.ones(1, 12, 5, 6) if act == "span_gate" else None
    x, weight = torch.ones(1, 12, 5, 6), torch.zeros(12, 1, 3, 3)
    args = x, weight, bias, act, 0.05, u, None, None, 1, "zeros"
    torch.testing.assert_close(OP(*args), reference(*args), rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("ci", [None, 3])
@pytest.mark.parametrize(("kernel", "dilation"), [((3, 3), 1), *KERNELS[:8]], ids=str)
def test_nan_and_infinity_reach_their_neighbours_only(ci, value, kernel, dilation):
    for y, x in [(6, 8), (0, 0), (10, 12)]:
        args = arguments(1, 5, 11, 13, ci=ci, kernel=kernel, dilation=dilation)
        args[0][0, 2, y, x] = value
        assert torch.equal(OP(*args).isfinite(), reference(*args).isfinite())


def test_reference_backend(monkeypatch):
    args = arguments(2, 28, 15, 18, "silu", 26)
    monkeypatch.setenv("ESR_KERNELS_BACKEND", "reference")
    assert torch.equal(OP(*args), reference(*args))


@pytest.mark.parametrize("case", ["spab", "pointwise", "channels_last", "bfloat16"])
def test_opcheck(case):
    dtype = torch.bfloat16 if case == "bfloat16" else torch.float32
    ci = 3 if case == "pointwise" else None
    x, *rest = arguments(2, 5, 6, 7, "span_gate", ci, dtype)
    if case == "channels_last":
        x = channels_last(x)
    for leaf in (x, rest[0], rest[-3]):
        if leaf is not None:
            leaf.requires_grad_(dtype == torch.float32)
    torch.library.opcheck(OP.default, (x, *rest))


@pytest.mark.parametrize("ci", [None, 2])
@pytest.mark.parametrize("act", ACTIVATIONS)
def test_gradients(act, ci):
    args = arguments(2, 3, 4, 5, act, ci, torch.float64)
    for leaf in args:
        if isinstance(leaf, torch.Tensor):
            leaf.requires_grad_()
    assert_gradients(OP, reference, args)


def test_compile():
    def network(x, weight, bias, pointwise):
        y = ops.depthwise_act(x, weight, bias, act="gelu")
        return ops.depthwise_act(y, weight, residual=x, pointwise=pointwise)

    x, weight, bias, _, _, _, pointwise, *_ = arguments(1, 4, 9, 11, ci=4)
    compiled = torch.compile(network, fullgraph=True, backend="aot_eager")
    for each in (x, channels_last(x), x[:, :, :5]):
        args = each, weight, bias, pointwise
        assert torch.equal(compiled(*args), network(*args))


X, W, B = torch.rand(1, 5, 6, 7), torch.rand(5, 1, 3, 3), torch.rand(5)
P, WIDE = torch.rand(8, 5, 1, 1), torch.rand(8, 1, 3, 3)


@pytest.mark.parametrize(
    ("error", "words", "args", "kwargs"),
    [
        (TypeError, "x must be a torch.Tensor", ([X], W), {}),
        (TypeError, "weight must be", (X, None), {}),
        (TypeError, "bias must be", (X, W, 1.0), {}),
        (TypeError, "pointwise must be", (X, W), {"pointwise": 1}),
        (TypeError, "act must be a string", (X, W), {"act": None}),
        (TypeError, "x is uint8; use float32", (X.byte(), W), {}),
        (TypeError, "weight is float16 but x is float32", (X, W.half()), {}),
        (TypeError, "pointwise is float64 but x", (X, WIDE), {"pointwise": P.double()}),
        (TypeError, "layout", (X, W.to_sparse()), {}),
        (ValueError, "add the batch with x.unsqueeze(0)", (X[0], W), {}),
        (ValueError, "x is empty", (X[:, :, :0], W), {}),
        (ValueError, "expected [5, 1, 3, 3] (a filter per channel that x has", (X, WIDE), {}),
        (ValueError, "expected [5, 1, 3, 3]", (X, torch.rand(5, 5, 3, 3)), {}),
        (ValueError, "3x2 kernel, expected odd numbers of taps", (X, W[..., :2]), {}),
        (ValueError, "expected [Co, Ci, kh, kw]", (X, W[0]), {}),
        (ValueError, "dilation is 0, expected 1 or more", (X, W), {"dilation": 0}),
        (TypeError, "dilation must be an int", (X, W), {"dilation": (1, 2)}),
        (ValueError, "expected [8, 1, 3, 3] (a filter per channel", (X, W), {"pointwise": P}),
        (ValueError, "takes 5 channels, but is given 4", (X[:, :4], WIDE), {"pointwise": P}),
        (ValueError, "3x3 kernel, expected 1x1", (X, W), {"pointwise": torch.rand(5, 5, 3, 3)}),
        (ValueError, "pointwise_bias needs pointwise", (X, W), {"pointwise_bias": B}),
        (
            ValueError,
            "pointwise_bias has shape [5], expected [8]",
            (X, WIDE),
            {"pointwise": P, "pointwise_bias": B},
        ),
        (ValueError, "bias has shape [4], expected [5]", (X, W, B[:4]), {}),
        (ValueError, "different devices", (X, W, B.to("meta")), {}),
        (ValueError, "expected one of: none, relu", (X, W), {"act": "mish"}),
        (ValueError, "needs residual", (X, W), {"act": "span_gate"}),
        (ValueError, "residual has shape [1, 1, 6, 7]", (X, W), {"residual": X[:, :1]}),
    ],
)
def test_bad_input(error, words, args, kwargs):
    assert_refuses(error, words, ops.depthwise_act, *args, **kwargs)
