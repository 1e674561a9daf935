"""``channel_norm``, norms over the channels, against their plain-torch formulas.

By itself the op is torch's; in programs it is a step, which these tests drive too.
"""

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
from esr_kernels.ops.channel_norm import KINDS, reference

_C = pytest.importorskip("esr_kernels._C", reason="esr_kernels._C is not built")
from esr_kernels.backends.cpu.builder import Builder  # noqa: E402
from esr_kernels.backends.lowering.lower import LOWER  # noqa: E402

every_isa = pytest.mark.parametrize("isa", _C.isas())
every_kind = pytest.mark.parametrize("kind", KINDS)


def program(x, *rest):
    """The op as a step of a program."""
    builder = Builder()
    builder.output(LOWER["channel_norm"](builder, builder.input(x.shape[1]), *rest))
    return builder.run([x])[0]


def public(x, weight, bias, eps, kind):
    return ops.channel_norm(x, weight, bias, eps=eps, kind=kind)


def arguments(n, c, h, w, dtype=torch.float32, kind="layer"):
    draw = torch.Generator().manual_seed(c)
    weight, bias = (torch.randn(c, generator=draw).to(dtype) for _ in range(2))
    return (4 * image(n, c, h, w) - 1).to(dtype), weight, bias, 1e-6, kind


@every_isa
@every_kind
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (31, 33), (33, 31), (5, 300)], ids=str)
def test_sizes(size, kind, isa, monkeypatch):
    monkeypatch.setenv("ESR_KERNELS_ISA", isa)
    args = arguments(3, 6, *size, kind=kind)
    assert_matches(program(*args), reference, args)


@every_kind
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("channels", [2, 3, 26, 28, 46, 48, 52, 180])
def test_channels(channels, dtype, kind):
    args = arguments(2, channels, 9, 35, dtype, kind)
    for ours in (program(*args), public(*args)):
        assert_matches(ours, reference, args)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout, dtype):
    x, *rest = arguments(3, 6, 17, 20, dtype)
    args = layout(x), *rest
    for ours in (program(*args), public(*args)):
        assert_matches(ours, reference, args)
        assert_same_format(args[0], ours)


@every_kind
def test_without_weight_or_bias(kind):
    x, weight, bias, *how = arguments(2, 6, 9, 20, kind=kind)
    for args in [(x, None, None, *how), (x, weight, None, *how), (x, None, bias, *how)]:
        assert_matches(program(*args), reference, args)


def test_a_mean_far_from_zero():
    """Nothing cancels: the deviations are taken from the mean before they are squared."""
    x, *rest = arguments(1, 28, 9, 40)
    args = x + 1000, *rest
    assert_matches(program(*args), reference, args)


def test_channels_that_are_alike():
    """A variance of zero leaves eps alone under the root."""
    x, *rest = arguments(1, 6, 9, 40)
    args = x[:, :1].expand(1, 6, 9, 40), *rest
    assert_matches(program(*args), reference, args)


@every_kind
def test_pixels_of_zeros(kind):
    """eps keeps them zeros."""
    x, *rest = arguments(1, 6, 9, 40, kind=kind)
    args = x * (x > 0.9), *rest
    assert_matches(program(*args), reference, args)


@every_kind
def test_nan_is_not_hidden(kind):
    args = arguments(1, 6, 33, 40, kind=kind)
    args[0][0, 2, 3, 4] = torch.nan
    assert torch.equal(program(*args).isnan(), reference(*args).isnan())


@pytest.mark.parametrize("layout", [torch.clone, channels_last, amid_nan])
def test_opcheck(layout):
    x, weight, bias, *how = arguments(2, 3, 7, 9)
    args = layout(x).requires_grad_(), weight.requires_grad_(), bias, *how
    torch.library.opcheck(torch.ops.esr_kernels.channel_norm.default, args)


@every_kind
def test_gradients(kind):
    x, weight, bias, *how = arguments(1, 3, 4, 5, torch.float64, kind)
    args = x.requires_grad_(), weight.requires_grad_(), bias.requires_grad_(), *how
    op = torch.ops.esr_kernels.channel_norm
    assert_gradients(op, reference, args)


@pytest.mark.parametrize(
    ("error", "words", "position", "value"),
    [
        (TypeError, "x must be a torch.Tensor, not list", 0, [torch.rand(1, 5, 4, 4)]),
        (TypeError, "weight must be a torch.Tensor or None", 1, 1),
        (TypeError, "x is uint8; use float32", 0, torch.ones(1, 5, 4, 4).byte()),
        (TypeError, "bias is float64 but x is float32", 2, torch.ones(5).double()),
        (ValueError, "expected [N, C, H, W]", 0, torch.rand(5, 4, 4)),
        (ValueError, "weight has shape [4], expected [5]", 1, torch.rand(4)),
        (ValueError, "eps is -1.0, expected 0 or more", 3, -1),
        (ValueError, "unknown kind 'batch' of norm; use one of: layer, rms", 4, "batch"),
    ],
)
def test_bad_input(error, words, position, value):
    args = list(arguments(1, 5, 4, 4))
    args[position] = value
    assert_refuses(error, words, public, *args)
