"""``esa``, enhanced spatial attention, against its plain-torch formula."""

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
from esr_kernels.ops.esa import reference


def arguments(n, c, h, w, dtype=torch.float32, f=16):
    """The schema arguments, in their order: x, conv1, conv_f, conv2, conv3, conv4."""
    layers = [(f, c, 1), (f, f, 1), (f, f, 3), (f, f, 3), (c, f, 1)]
    weights = [t for seed, layer in enumerate(layers) for t in conv_weights(*layer, dtype, seed)]
    return (2 * image(n, c, h, w) - 1).to(dtype), *weights


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    "size", [(15, 15), (15, 64), (65, 16), (17, 20), (31, 33), (64, 65)], ids=str
)
def test_sizes(size, dtype):
    for n, c in [(1, 46), (3, 28)]:
        args = arguments(n, c, *size, dtype)
        assert_matches(ops.esa(*args), reference, args)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("channels", [1, 3, 16, 26, 28, 46, 48, 52])
def test_channels(channels, dtype):
    for f in (16, 1, 7):
        args = arguments(2, channels, 19, 22, dtype, f)
        assert_matches(ops.esa(*args), reference, args)


def test_large_picture():
    args = arguments(1, 12, 130, 301)
    assert_matches(ops.esa(*args), reference, args)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout, dtype):
    x, w1, b1, w_f, b_f, w2, b2, *rest = arguments(3, 6, 17, 20, dtype, f=5)
    args = layout(x), amid_nan(w1), b1, w_f, b_f, channels_last(w2), b2, *rest
    ours = ops.esa(*args)
    assert_matches(ours, reference, args)
    assert_same_format(args[0], ours)


def test_no_bias():
    x, w1, _, w_f, _, w2, _, w3, _, w4, _ = arguments(1, 6, 17, 20)
    args = x, w1, None, w_f, None, w2, None, w3, None, w4, None
    assert_matches(ops.esa(*args), reference, args)


def test_saturated_gate():
    """A gate of exactly 0 or 1, where exp overflows; the product has to stay finite."""
    args = list(arguments(1, 6, 17, 20))
    args[-1] = torch.tensor([-1e4, -100.0, -88.8, 88.8, 100.0, 1e4])
    torch.testing.assert_close(ops.esa(*args), reference(*args), rtol=2e-6, atol=1e-6)


def test_nan_is_not_hidden():
    args = arguments(1, 6, 33, 40)
    args[0][0, 2, 3, 4] = torch.nan
    ours, plain = ops.esa(*args), reference(*args)
    assert not (plain.isnan() & ~ours.isnan()).any()


def test_reference_backend(monkeypatch):
    args = arguments(2, 46, 15, 18)
    monkeypatch.setenv("ESR_KERNELS_BACKEND", "reference")
    assert torch.equal(ops.esa(*args), reference(*args))


@pytest.mark.parametrize("layout", [torch.clone, channels_last, amid_nan])
def test_opcheck(layout):
    x, *weights = arguments(2, 3, 17, 20, f=4)
    weights[0].requires_grad_()
    args = layout(x).requires_grad_(), *weights
    torch.library.opcheck(torch.ops.esr_kernels.esa.default, args)


def test_gradients():
    args = arguments(1, 2, 15, 16, torch.float64, f=3)
    for leaf in (args[0], args[1], args[5], args[10]):
        leaf.requires_grad_()
    assert_gradients(ops.esa, reference, args)


def test_compile():
    def network(x, *weights):
        return ops.esa(ops.esa(x, *weights) + x, *weights)

    x, *weights = arguments(1, 4, 17, 21)
    compiled = torch.compile(network, fullgraph=True, backend="aot_eager")
    for picture in (x, image(2, 4, 30, 15), channels_last(x)):
        assert torch.equal(compiled(picture, *weights), network(picture, *weights))


@pytest.mark.parametrize("size", [(14, 15), (15, 14), (1, 1)], ids=str)
def test_too_small(size):
    args = list(arguments(1, 6, 15, 15))
    args[0] = torch.rand(1, 6, *size)
    assert_refuses(ValueError, "at least 15x15", ops.esa, *args)


@pytest.mark.parametrize(
    ("error", "words", "position", "value"),
    [
        (TypeError, "x must be a torch.Tensor, not list", 0, [torch.rand(1, 5, 15, 15)]),
        (TypeError, "w_f must be a torch.Tensor, not NoneType", 3, None),
        (TypeError, "b4 must be a torch.Tensor or None", 10, 1),
        (TypeError, "x is uint8; use float32", 0, torch.ones(1, 5, 15, 15).byte()),
        (TypeError, "w4 is float64 but x is float32", 9, torch.ones(5, 16, 1, 1).double()),
        (ValueError, "expected [N, C, H, W]", 0, torch.rand(5, 15, 15)),
        (ValueError, "x is empty", 0, torch.rand(1, 5, 15, 0)),
        (ValueError, "w1 has shape [16, 5, 1, 1], so it takes 5", 0, torch.rand(1, 4, 15, 15)),
        (ValueError, "w1 has a 3x3 kernel, expected 1x1", 1, torch.rand(16, 5, 3, 3)),
        (ValueError, "w_f has shape [8, 16, 1, 1], so it makes 8", 3, torch.rand(8, 16, 1, 1)),
        (ValueError, "w2 has a 1x1 kernel, expected 3x3", 5, torch.rand(16, 16, 1, 1)),
        (ValueError, "w3 has shape [16, 8, 3, 3], so it takes 8", 7, torch.rand(16, 8, 3, 3)),
        (ValueError, "w4 has shape [1, 16, 1, 1], so it makes 1", 9, torch.rand(1, 16, 1, 1)),
        (ValueError, "b2 has shape [1], expected [16]", 6, torch.rand(1)),
        (ValueError, "w1 and x are on different devices", 1, torch.rand(16, 5, 1, 1).to("meta")),
    ],
)
def test_bad_input(error, words, position, value):
    args = list(arguments(1, 5, 15, 15))
    args[position] = value
    assert_refuses(error, words, ops.esa, *args)
