"""``conv3x3_pixel_shuffle``, the tail of a network, against its plain-torch formula."""

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
from esr_kernels.ops.conv3x3_pixel_shuffle import reference

OP = torch.ops.esr_kernels.conv3x3_pixel_shuffle


def arguments(n, ci, h, w, r=4, colours=3, dtype=torch.float32, skip=True):
    """The schema arguments."""
    weight, bias = conv_weights(colours * r * r, ci, 3, dtype)
    picture = image(n, colours, h, w, seed=5).to(dtype) if skip else None
    return (2 * image(n, ci, h, w) - 1).to(dtype), weight, bias, r, picture


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (31, 33), (64, 65)], ids=str)
def test_sizes(size, dtype):
    for n, ci, skip in [(1, 28, False), (2, 46, True)]:
        args = arguments(n, ci, *size, dtype=dtype, skip=skip)
        assert_matches(OP(*args), reference, args)


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("ci", [1, 3, 16, 26, 28, 46, 48, 52])
def test_channels(ci, skip):
    args = arguments(2, ci, 15, 18, skip=skip)
    assert_matches(OP(*args), reference, args)


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("r", [1, 2, 3, 4, 5, 8])
@pytest.mark.parametrize("colours", [1, 3, 4])
def test_factors(colours, r, skip):
    args = arguments(2, 6, 9, 11, r, colours, skip=skip)
    assert_matches(OP(*args), reference, args)


def test_large_picture():
    args = arguments(1, 12, 130, 301)
    assert_matches(OP(*args), reference, args)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout, dtype):
    x, weight, bias, r, picture = arguments(3, 6, 9, 11, dtype=dtype)
    args = layout(x), amid_nan(weight), bias, r, layout(picture)
    ours = OP(*args)
    assert_matches(ours, reference, args)
    assert_same_format(args[0], ours)


def test_reference_is_the_formula():
    """The reference against torch's own pieces, as the docstring puts them."""
    x, weight, bias, r, picture = arguments(2, 6, 9, 11, r=3, dtype=torch.float64)
    shuffled = F.pixel_shuffle(F.conv2d(x, weight, bias, padding=1), r)
    enlarged = F.interpolate(picture, scale_factor=r, mode="nearest")
    torch.testing.assert_close(reference(x, weight, bias, r, picture), shuffled + enlarged)


def test_no_bias():
    x, weight, _, r, picture = arguments(1, 6, 9, 11, r=2)
    ours = ops.conv3x3_pixel_shuffle(x, weight, upscale_factor=r, skip=picture)
    assert_matches(ours, reference, (x, weight, None, r, picture))


def test_nan_is_not_hidden():
    args = arguments(1, 6, 15, 18)
    args[0][0, 2, 7, 9] = torch.nan
    args[4][0, 1, 2, 3] = torch.nan
    assert not (reference(*args).isnan() & ~OP(*args).isnan()).any()


def test_reference_backend(monkeypatch):
    args = arguments(2, 28, 15, 18)
    monkeypatch.setenv("ESR_KERNELS_BACKEND", "reference")
    assert torch.equal(OP(*args), reference(*args))


@pytest.mark.parametrize("layout", [torch.clone, channels_last, amid_nan])
def test_opcheck(layout):
    x, weight, bias, r, picture = arguments(2, 3, 6, 7, r=2)
    args = layout(x).requires_grad_(), weight.requires_grad_(), bias, r, picture
    torch.library.opcheck(OP.default, args)


def test_gradients():
    args = arguments(2, 2, 4, 5, r=2, colours=1, dtype=torch.float64)
    for leaf in (args[0], args[1], args[2], args[4]):
        leaf.requires_grad_()
    assert_gradients(OP, reference, args)


def test_compile():
    def network(x, weight, bias, r, picture):
        return ops.conv3x3_pixel_shuffle(x, weight, bias, upscale_factor=r, skip=picture).clamp(
            0, 1
        )

    x, *rest, picture = arguments(1, 4, 9, 11)
    compiled = torch.compile(network, fullgraph=True, backend="aot_eager")
    for each in (x, channels_last(x), x[:, :, :5]):
        low = picture[:, :, : each.shape[2]]
        assert torch.equal(compiled(each, *rest, low), network(each, *rest, low))


X, W, B = torch.rand(1, 5, 6, 7), torch.rand(12, 5, 3, 3), torch.rand(12)
PICTURE = torch.rand(1, 3, 6, 7)


@pytest.mark.parametrize(
    ("error", "words", "args", "factor", "skip"),
    [
        (TypeError, "x must be a torch.Tensor, not str", ("x", W), 2, None),
        (TypeError, "weight must be", (X, None), 2, None),
        (TypeError, "bias must be", (X, W, 0), 2, None),
        (TypeError, "skip must be", (X, W), 2, "picture"),
        (TypeError, "upscale_factor must be an int, not float", (X, W), 2.0, None),
        (TypeError, "x is uint8; use float32", (X.byte(), W), 2, None),
        (TypeError, "skip is uint8 but x is float32", (X, W), 2, PICTURE.byte()),
        (ValueError, "upscale_factor is 0", (X, W), 0, None),
        (ValueError, "12 channels do not divide into 5x5 pixels", (X, W), 5, None),
        (ValueError, "skip has shape [1, 1, 6, 7], expected [1, 3", (X, W), 2, PICTURE[:, :1]),
        (ValueError, "the picture before upscaling", (X, W), 2, torch.rand(1, 3, 12, 14)),
        (ValueError, "expected [N, C, H, W]", (X[0], W), 2, None),
        (ValueError, "x is empty", (X[..., :0], W), 2, None),
        (ValueError, "1x1 kernel, expected 3x3", (X, W[..., :1, :1]), 2, None),
        (ValueError, "takes 5 channels, but is given 4", (X[:, :4], W), 2, None),
        (ValueError, "bias has shape [11], expected [12]", (X, W, B[:11]), 2, None),
        (ValueError, "skip and x are on different devices", (X, W), 2, PICTURE.to("meta")),
    ],
)
def test_bad_input(error, words, args, factor, skip):
    assert_refuses(error, words, ops.conv3x3_pixel_shuffle, *args, upscale_factor=factor, skip=skip)
