"""The receptive field read off the graph, against one that is measured with impulses."""

import pytest
import torch
from lookalikes import BranchingRoot, Residuals, SwiftNet, plain
from test_trace import From
from torch import nn

import esr_kernels.fusion as fusion
from esr_kernels.models.architectures.rlfn import RLFN
from esr_kernels.models.architectures.span import SPAN


def measured(model, scale, size=61):
    """How far from its pixel an impulse in the middle of a picture changes the output."""
    model = model.double().eval()
    # Positive weights: nothing cancels, and no activation swallows the impulse.
    for p in model.parameters():
        p.data = p.data.abs() / p.data.abs().sum().clamp(min=1) * 10
    middle = size // 2
    x = torch.full((1, 3, size, size), 0.5, dtype=torch.float64)
    y = x.clone()
    y[:, :, middle, middle] += 0.25
    with torch.no_grad():
        changed = (model(y) - model(x)).abs().amax((0, 1)) > 0
    rows = changed.any(1).nonzero().flatten() // scale
    return max(middle - rows.min().item(), rows.max().item() - middle)


@pytest.mark.parametrize("training_form", [False, True])
def test_span_sees_21_pixels(training_form):
    model = SPAN(6, scale=2, training_form=training_form).eval()
    assert fusion.halo(model) == 21  # without accelerate
    assert fusion.halo(fusion.accelerate(model)) == 21
    assert measured(SPAN(6, scale=2), 2) == 21


def after_the_shuffle(m, x):
    return m.b(m.up(m.a(x)))


@pytest.mark.parametrize(
    ("model", "scale"),
    [
        (SwiftNet(6), 3),
        (From(lambda m, x: m.a(x) + m.b(m.b(x)), a=plain(3, 3), b=plain(3, 3)), 1),
        (From(lambda m, x: m.a(m.b(x)), a=nn.Conv2d(3, 3, 1), b=nn.Conv2d(3, 3, 5, padding=2)), 1),
        (From(lambda m, x: m.a(x), a=nn.Conv2d(3, 3, 3, padding=2, dilation=2)), 1),
        (From(lambda m, x: m.a(m.a(x)), a=nn.Conv2d(3, 3, 3, padding=1, groups=3)), 1),
        (From(after_the_shuffle, a=plain(3, 12), b=plain(3, 3), up=nn.PixelShuffle(2)), 2),
    ],
    ids=["swift", "paths", "5x5", "dilated", "depthwise", "after the shuffle"],
)
def test_halo_is_the_measured_radius(model, scale):
    halo = fusion.halo(model.eval())
    assert halo == measured(model, scale)


@pytest.mark.parametrize(
    "model",
    [
        RLFN(6, mid=6, blocks=1, esa_hidden=4),
        Residuals(),
        BranchingRoot(),
        From(lambda m, x: m.a(x) * x.mean((2, 3), keepdim=True), a=plain(3, 3)),
        From(lambda m, x: m.a(x), a=nn.Conv2d(3, 3, 3, padding=1, stride=2)),
        From(lambda m, x: m.a(x)[:, :, 1:], a=plain(3, 3)),
    ],
    ids=["rlfn", "esa", "unknown", "mean", "stride", "slice"],
)
def test_unbounded_or_unknown(model):
    assert fusion.halo(model.eval()) is None


def test_tiles_with_the_halo_equal_the_whole():
    torch.manual_seed(0)
    model = fusion.accelerate(SwiftNet(8, scale=2).eval())
    halo, x = fusion.halo(model), torch.rand(1, 3, 70, 20)
    with torch.inference_mode():
        whole = model(x)
        tile = model(x[:, :, 30 - halo : 40 + halo])[:, :, 2 * halo : -2 * halo]
    limit = 1e-6 * whole.abs().max().item()
    torch.testing.assert_close(tile, whole[:, :, 60:80], rtol=1e-5, atol=limit)
