"""``spab``, the whole block of SPAN, against its plain-torch formula."""

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
from esr_kernels.ops.spab import reference


def arguments(n, c, h, w, dtype=torch.float32, middle=None):
    """The schema arguments; ``middle`` are the widths of the two hidden maps."""
    m1, m2 = middle or (c, c)
    layers = [(m1, c), (m2, m1), (c, m2)]
    weights = [t for seed, shape in enumerate(layers) for t in conv_weights(*shape, 3, dtype, seed)]
    return (2 * image(n, c, h, w) - 1).to(dtype), *weights


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (2, 3), (31, 33), (64, 65)], ids=str)
def test_sizes(size, dtype):
    for n, c in [(1, 28), (3, 26)]:
        args = arguments(n, c, *size, dtype)
        assert_matches(ops.spab(*args), reference, args)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("channels", [1, 3, 16, 26, 28, 46, 48, 52])
def test_channels(channels, dtype):
    args = arguments(2, channels, 15, 18, dtype)
    assert_matches(ops.spab(*args), reference, args)


@pytest.mark.parametrize("middle", [(5, 5), (17, 4), (4, 17)], ids=str)
def test_hidden_maps_of_other_widths(middle):
    args = arguments(2, 7, 15, 18, middle=middle)
    assert_matches(ops.spab(*args), reference, args)


def test_large_picture():
    args = arguments(1, 12, 130, 301)
    assert_matches(ops.spab(*args), reference, args)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout, dtype):
    x, w1, b1, w2, b2, w3, b3 = arguments(3, 6, 9, 11, dtype)
    args = layout(x), amid_nan(w1), b1, channels_last(w2), b2, w3, b3
    ours = ops.spab(*args)
    assert_matches(ours, reference, args)
    assert_same_format(args[0], *ours)


def test_no_bias():
    x, w1, _, w2, _, w3, _ = arguments(1, 5, 9, 9)
    args = x, w1, None, w2, None, w3, None
    assert_matches(ops.spab(*args), reference, args)


def test_results_are_fresh():
    args = arguments(1, 5, 9, 9)
    before = args[0].clone()
    first, second = ops.spab(*args), ops.spab(*args)
    for y in first:
        y.zero_()
    assert torch.equal(args[0], before)
    assert all(y.abs().max() > 0 for y in second)


def test_nan_is_not_hidden():
    args = arguments(1, 5, 15, 18)
    args[0][0, 2, 7, 9] = torch.nan
    for ours, plain in zip(ops.spab(*args), reference(*args), strict=True):
        assert not (plain.isnan() & ~ours.isnan()).any()


def test_reference_backend(monkeypatch):
    args = arguments(2, 26, 15, 18)
    monkeypatch.setenv("ESR_KERNELS_BACKEND", "reference")
    for ours, plain in zip(ops.spab(*args), reference(*args), strict=True):
        assert torch.equal(ours, plain)


@pytest.mark.parametrize("layout", [torch.clone, channels_last, amid_nan])
def test_opcheck(layout):
    x, *weights = arguments(2, 3, 6, 7, middle=(4, 5))
    weights[0].requires_grad_()
    args = layout(x).requires_grad_(), *weights
    torch.library.opcheck(torch.ops.esr_kernels.spab.default, args)


def test_gradients():
    args = arguments(2, 2, 4, 5, torch.float64, middle=(3, 2))
    for leaf in (args[0], args[1], args[2], args[5]):
        leaf.requires_grad_()
    assert_gradients(ops.spab, reference, args)


def test_compile():
    def network(x, *weights):
        y, _ = ops.spab(x, *weights)
        return ops.spab(y, *weights)

    x, *weights = arguments(1, 4, 9, 11)
    compiled = torch.compile(network, fullgraph=True, backend="aot_eager")
    for picture in (x, image(2, 4, 12, 7), channels_last(x)):
        for ours, eager in zip(
            compiled(picture, *weights), network(picture, *weights), strict=True
        ):
            assert torch.equal(ours, eager)


@pytest.mark.parametrize(
    ("error", "words", "position", "value"),
    [
        (TypeError, "x must be a torch.Tensor, not ndarray", 0, torch.rand(1, 5, 6, 7).numpy()),
        (TypeError, "w2 must be a torch.Tensor, not NoneType", 3, None),
        (TypeError, "b3 must be a torch.Tensor or None, not float", 6, 0.5),
        (TypeError, "x is int64; use float32", 0, torch.ones(1, 5, 6, 7).long()),
        (TypeError, "w1 is float32 but x is float16", 0, torch.ones(1, 5, 6, 7).half()),
        (TypeError, "b2 is bfloat16 but x is float32", 4, torch.ones(5).bfloat16()),
        (ValueError, "expected [N, C, H, W]", 0, torch.rand(5, 6, 7)),
        (ValueError, "x is empty", 0, torch.rand(0, 5, 6, 7)),
        (ValueError, "w1 has shape [5, 5, 3, 3], so it takes 5", 0, torch.rand(1, 4, 6, 7)),
        (ValueError, "w2 has a 1x1 kernel, expected 3x3", 3, torch.rand(5, 5, 1, 1)),
        (ValueError, "w3 has shape [4, 5, 3, 3], so it makes 4", 5, torch.rand(4, 5, 3, 3)),
        (ValueError, "b1 has shape [4], expected [5]", 2, torch.rand(4)),
        (ValueError, "w1 and x are on different devices", 1, torch.rand(5, 5, 3, 3).to("meta")),
    ],
)
def test_bad_input(error, words, position, value):
    args = list(arguments(1, 5, 6, 7))
    args[position] = value
    assert_refuses(error, words, ops.spab, *args)
