"""``conv_act`` against its plain-torch formula."""

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
from esr_kernels.ops._epilogue import ACTIVATIONS
from esr_kernels.ops.conv_act import reference

OP = torch.ops.esr_kernels.conv_act


def centred(n, c, h, w, seed=0, dtype=torch.float32):
    """A picture around zero, so that activations see both signs."""
    return (2 * image(n, c, h, w, seed) - 1).to(dtype)


def arguments(n, ci, co, h, w, act="none", k=3, dtype=torch.float32, residual=False):
    """The schema arguments; SPAB's gate always has its residual."""
    weight, bias = conv_weights(co, ci, k, dtype)
    with_residual = residual or act == "span_gate"
    u = centred(n, co, h, w, seed=7, dtype=dtype) if with_residual else None
    return [centred(n, ci, h, w, dtype=dtype)], weight, bias, act, 0.05, u


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("act", ACTIVATIONS)
@pytest.mark.parametrize("k", [1, 3])
def test_every_activation(act, k, dtype):
    for residual in (False, True):
        args = arguments(2, 13, 11, 19, 23, act, k, dtype, residual)
        assert_matches(OP(*args), reference, args)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (2, 5), (31, 33), (64, 65)], ids=str)
def test_sizes(size, dtype):
    for n, ci, co, k in [(1, 3, 28, 3), (3, 26, 26, 3), (2, 28, 3, 3), (2, 28, 26, 1)]:
        args = arguments(n, ci, co, *size, "silu", k, dtype)
        assert_matches(OP(*args), reference, args)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize(
    "channels",
    [(1, 1), (1, 16), (3, 46), (16, 48), (26, 26), (28, 28), (46, 3), (48, 52), (52, 1), (112, 28)],
    ids=str,
)
def test_channels(channels, k):
    args = arguments(2, *channels, 17, 21, "lrelu", k, residual=True)
    assert_matches(OP(*args), reference, args)


def test_large_picture():
    args = arguments(1, 12, 12, 130, 301, "silu")
    assert_matches(OP(*args), reference, args)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout, k, dtype):
    inputs, weight, bias, act, slope, u = arguments(3, 6, 5, 9, 11, "span_gate", k, dtype)
    args = [layout(inputs[0])], amid_nan(weight), bias, act, slope, layout(u)
    ours = OP(*args)
    assert_matches(ours, reference, args)
    assert_same_format(args[0][0], ours)


def test_strided_weight_and_bias():
    x = [centred(2, 6, 9, 11)]
    weight, _ = conv_weights(7, 6)
    bias = torch.linspace(-1, 1, 14)[::2]
    for w in (channels_last(weight), weight.transpose(0, 1).contiguous().transpose(0, 1)):
        args = x, w, bias, "none", 0.05, None
        assert_matches(OP(*args), reference, args)


@pytest.mark.parametrize("k", [1, 3])
def test_list_of_inputs_is_their_concatenation(k):
    parts = [
        centred(2, 5, 15, 18),
        channels_last(centred(2, 1, 15, 18, 1)),
        centred(2, 26, 15, 18, 2),
    ]
    parts[2] = amid_nan(parts[2])
    weight, bias = conv_weights(28, 32, k)
    args = parts, weight, bias, "relu", 0.05, None
    ours = ops.conv_act(parts, weight, bias, act="relu")
    assert_matches(ours, reference, args)
    whole = ops.conv_act(torch.cat(parts, 1), weight, bias, act="relu")
    torch.testing.assert_close(ours, whole, rtol=0, atol=1e-5)
    assert torch.equal(ours, ops.conv_act(tuple(parts), weight, bias, act="relu"))


def test_no_bias_and_slope():
    x, (weight, _) = centred(1, 4, 9, 9), conv_weights(4, 4)
    for slope in (0.0, 0.2, -1.0, 3.0):
        args = [x], weight, None, "lrelu", slope, None
        assert_matches(ops.conv_act(x, weight, act="lrelu", slope=slope), reference, args)


@pytest.mark.parametrize("act", ACTIVATIONS)
def test_far_from_zero(act):
    """Activations of what the weights cannot hide: the bias alone, up to where exp overflows."""
    bias = torch.tensor([-3e38, -1e4, -100, -88.8, -9, -1e-6, 0, 1e-6, 9, 88.8, 100, 1e4])
    u = torch.ones(1, 12, 5, 6) if act == "span_gate" else None
    args = [torch.ones(1, 2, 5, 6)], torch.zeros(12, 2, 3, 3), bias, act, 0.05, u
    torch.testing.assert_close(OP(*args), reference(*args), rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("act", ACTIVATIONS)
@pytest.mark.parametrize("k", [1, 3])
def test_nan_is_not_hidden(act, k):
    args = arguments(1, 3, 5, 12, 13, act, k)
    args[0][0][0, 1, 6, 8] = torch.nan
    lost = reference(*args).isnan() & ~OP(*args).isnan()
    assert not lost.any()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", [torch.clone, channels_last, amid_nan])
def test_out_writes_a_channel_slice(layout, dtype):
    args = arguments(2, 6, 5, 9, 11, "silu", dtype=dtype, residual=True)
    wide = layout(torch.full((2, 16, 9, 11), 7.0, dtype=dtype))
    inputs, weight, bias, act, slope, u = args
    out = wide[:, 3:8]
    result = ops.conv_act(inputs, weight, bias, act=act, slope=slope, residual=u, out=out)
    assert result is out
    assert_matches(wide[:, 3:8], reference, args)
    assert (wide[:, :3] == 7).all() and (wide[:, 8:] == 7).all(), "neighbours were overwritten"


@pytest.mark.parametrize("layout", [torch.clone, channels_last])
def test_out_beside_its_input_in_one_tensor(layout):
    wide = layout(centred(2, 12, 9, 11))
    weight, bias = conv_weights(5, 6)
    args = [wide[:, :6].clone()], weight, bias, "none", 0.05, None
    ops.conv_act(wide[:, :6], weight, bias, out=wide[:, 6:11])
    assert_matches(wide[:, 6:11], reference, args)


def test_reference_backend(monkeypatch):
    args = arguments(2, 26, 28, 15, 18, "silu")
    monkeypatch.setenv("ESR_KERNELS_BACKEND", "reference")
    assert torch.equal(OP(*args), reference(*args))


@pytest.mark.parametrize("case", ["spab", "list", "channels_last", "bfloat16"])
def test_opcheck(case):
    dtype = torch.bfloat16 if case == "bfloat16" else torch.float32
    inputs, weight, bias, act, slope, u = arguments(2, 3, 5, 6, 7, "span_gate", dtype=dtype)
    if case == "list":
        inputs, weight = [inputs[0], centred(2, 4, 6, 7)], conv_weights(5, 7)[0]
    if case == "channels_last":
        inputs = [channels_last(inputs[0])]
    for leaf in (inputs[-1], weight, u):
        leaf.requires_grad_(dtype == torch.float32)
    torch.library.opcheck(OP.default, (inputs, weight, bias, act, slope, u))


def test_opcheck_out():
    args = arguments(2, 3, 5, 6, 7, "silu")
    torch.library.opcheck(OP.out, args, {"out": torch.zeros(2, 8, 6, 7)[:, 2:7]})


@pytest.mark.parametrize("act", ACTIVATIONS)
def test_gradients(act):
    inputs, weight, bias, _, slope, u = arguments(2, 2, 3, 4, 5, act, dtype=torch.float64)
    inputs.append(centred(2, 1, 4, 5, 3, torch.float64))
    weight = conv_weights(3, 3, dtype=torch.float64)[0]
    for leaf in (inputs[0], weight, bias, u):
        if leaf is not None:
            leaf.requires_grad_()
    assert_gradients(OP, reference, (inputs, weight, bias, act, slope, u))


def test_compile():
    def network(x, weight, bias):
        y = ops.conv_act(x, weight, bias, act="silu")
        return ops.conv_act([y, x], torch.cat([weight, weight], 1), residual=y)

    x, (weight, bias) = centred(1, 4, 9, 11), conv_weights(4, 4)
    compiled = torch.compile(network, fullgraph=True, backend="aot_eager")
    for picture in (x, centred(2, 4, 12, 7), channels_last(x)):
        assert torch.equal(compiled(picture, weight, bias), network(picture, weight, bias))


def test_compile_out():
    def network(x, weight):
        wide = x.new_zeros(x.shape[0], 8, *x.shape[2:])
        ops.conv_act(x, weight, act="silu", out=wide[:, 4:])
        return wide

    x, (weight, _) = centred(1, 4, 9, 11), conv_weights(4, 4)
    compiled = torch.compile(network, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(x, weight), network(x, weight))


X, W, B = torch.rand(1, 3, 6, 7), torch.rand(5, 3, 3, 3), torch.rand(5)
U = torch.rand(1, 5, 6, 7)
WIDE = torch.rand(1, 8, 6, 7)


@pytest.mark.parametrize(
    ("error", "words", "args", "kwargs"),
    [
        (TypeError, "x must be a torch.Tensor", ("picture", W), {}),
        (TypeError, "x must be a torch.Tensor", ([X, 1], W), {}),
        (TypeError, "weight must be", (X, None), {}),
        (TypeError, "bias must be", (X, W, 1.0), {}),
        (TypeError, "act must be a string", (X, W), {"act": None}),
        (TypeError, "x is uint8; use float32", (X.byte(), W), {}),
        (TypeError, "weight is float16 but x is float32", (X, W.half()), {}),
        (TypeError, "x[1] is float64 but x is float32", ([X, X.double()], W), {}),
        (TypeError, "layout", (X, W.to_sparse()), {}),
        (ValueError, "add the batch with x.unsqueeze(0)", (X[0], W), {}),
        (ValueError, "x is empty", (X[:, :, :0], W), {}),
        (ValueError, "list of inputs is empty", ([], W), {}),
        (ValueError, "N, H and W of x[0]", ([X, X[..., 1:]], W), {}),
        (ValueError, "takes 3 channels, but is given 6", ([X, X], W), {}),
        (ValueError, "expected [Co, Ci, k, k]", (X, W[0]), {}),
        (ValueError, "2x3 kernel, expected 1x1 or 3x3", (X, W[:, :, :2]), {}),
        (ValueError, "weight is empty", (X, W[:0]), {}),
        (ValueError, "bias has shape [4], expected [5]", (X, W, B[:4]), {}),
        (ValueError, "different devices", (X, W, B.to("meta")), {}),
        (ValueError, "expected one of: none, relu", (X, W), {"act": "mish"}),
        (ValueError, "needs residual", (X, W), {"act": "span_gate"}),
        (ValueError, "residual has shape [1, 3, 6, 7]", (X, W), {"residual": X}),
        (ValueError, "residual has shape [1, 1, 6, 7]", (X, W), {"residual": X[:, :1]}),
        (ValueError, "out has shape", (X, W), {"out": X}),
        (TypeError, "out is float64 but x is float32", (X, W), {"out": U.double()}),
        (ValueError, "out is expanded", (X, W), {"out": U[:, :1].expand_as(U)}),
        (ValueError, "out shares memory with", (WIDE[:, :3], W), {"out": WIDE[:, 2:7]}),
        (ValueError, "shape [1, 5, 6, 7]", (X, W), {"residual": U, "out": U}),
        (ValueError, "out= has no gradient", (X, W.clone().requires_grad_()), {"out": U}),
        (ValueError, "out= has no gradient", (X, W), {"out": U.clone().requires_grad_()}),
    ],
)
def test_bad_input(error, words, args, kwargs):
    assert_refuses(error, words, ops.conv_act, *args, **kwargs)
