"""Norms over channels become ``channel_norm`` in any spelling; what only looks so, not."""

import pytest
import torch
import torch.nn.functional as F
from test_passes import computing, count, fuse
from test_trace import From
from torch import nn

from esr_kernels.fusion import accelerate, explain
from esr_kernels.models.blocks.channel_norm import ChannelLayerNorm, PixelLayerNorm
from esr_kernels.ops import CHANNEL_NORM


def conv(channels: int = 3) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, padding=1)


def shifted(norm: nn.Module) -> nn.Module:
    """The norm with weights that are not 1 and 0."""
    for p in norm.parameters():
        p.data.uniform_(0.5, 2)
    return norm


class ConvNext(nn.Module):
    """As the networks after ConvNeXt have it, ``channels_first``."""

    def __init__(self):
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.rand(3) + 0.5) for _ in range(2))

    def forward(self, x):
        mean = x.mean(1, keepdim=True)
        square = (x - mean).pow(2).mean(1, keepdim=True)
        x = (x - mean) / torch.sqrt(square + 1e-6)
        return self.weight[:, None, None] * x + self.bias[:, None, None]


def permuted(m, x):
    y = F.layer_norm(m.c(x).permute(0, 2, 3, 1), (3,), m.n.weight, m.n.bias, 1e-5)
    return y.permute(0, 3, 1, 2)


@pytest.mark.parametrize(
    "norm",
    [ChannelLayerNorm(3, 1e-6), PixelLayerNorm(3), ConvNext()],
    ids=lambda n: type(n).__name__,
)
def test_norms_of_modules(norm):
    graph = fuse(From(lambda m, x: m.n(m.c(x)), c=conv(), n=shifted(norm)))
    assert computing(graph) == ["conv_act", "channel_norm"]
    (node,) = [n for n in graph.nodes if n.target is CHANNEL_NORM]
    assert node.args[1] is not None and node.args[2] is not None and node.args[3] in (1e-5, 1e-6)


@pytest.mark.parametrize(
    ("function", "behind"),
    [
        (permuted, []),
        (lambda m, x: m.n(m.c(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2), []),
        (lambda m, x: F.relu(permuted(m, x)), ["relu"]),
        (lambda m, x: 2 * permuted(m, x) + x, ["mul", "add"]),
    ],
)
def test_norms_of_functions(function, behind):
    graph = fuse(From(function, c=conv(), n=shifted(nn.LayerNorm(3))))
    assert computing(graph) == ["conv_act", "channel_norm", *behind]


def written(m, x, dim=1, second=1, keep=True, scale=torch.rsqrt, centre=True):
    y = m.c(x)
    centred = y - y.mean(dim, keepdim=keep)
    square = (centred if centre else y).square().mean(second, keepdim=True)
    return centred * scale(square + 1e-6)


def test_without_factor():
    assert computing(fuse(From(written, c=conv()))) == ["conv_act", "channel_norm"]


@pytest.mark.parametrize(
    "changed",
    [
        {"dim": (2, 3)},
        {"second": (2, 3)},
        {"scale": torch.sqrt},
        {"scale": torch.exp},
        {"centre": False},
    ],
)
def test_imposters(changed):
    graph = fuse(From(lambda m, x: written(m, x, **changed), c=conv()))
    assert not [n for n in graph.nodes if n.target is CHANNEL_NORM and n.args[4] == "layer"]


def mean_square(m, x, dim=1, power=2):
    y = m.c(x)
    return y * torch.rsqrt(y.pow(power).mean(dim, keepdim=True) + 1e-6) * m.w.view(1, -1, 1, 1)


def length(m, x, **how):
    return F.normalize(m.c(x), **how)


@pytest.mark.parametrize(
    ("function", "kind", "eps"), [(mean_square, "rms", 1e-6), (length, "length", 1e-12)]
)
def test_norms_without_a_mean(function, kind, eps):
    graph = fuse(From(function, c=conv(), w=nn.Parameter(torch.rand(3) + 0.5)))
    assert computing(graph) == ["conv_act", "channel_norm"]
    (node,) = [n for n in graph.nodes if n.target is CHANNEL_NORM]
    assert node.args[3:] == (eps, kind) and (node.args[1] is None) == (kind == "length")


@pytest.mark.parametrize(
    ("function", "changed"),
    [
        (mean_square, {"dim": (2, 3)}),
        (mean_square, {"power": 4}),
        (length, {"dim": -1}),
        (length, {"p": 1.0}),
    ],
)
def test_imposters_without_a_mean(function, changed):
    w = nn.Parameter(torch.rand(3) + 0.5)
    graph = fuse(From(lambda m, x: function(m, x, **changed), c=conv(), w=w))
    assert count(graph, CHANNEL_NORM) == 0


def test_imposters_of_layer_norm():
    def rows(m, x):  # over rows of pixels
        return F.layer_norm(m.c(x), x.shape[3:])

    assert count(fuse(From(rows, c=conv())), CHANNEL_NORM) == 0


def test_a_norm_whose_result_goes_elsewhere():
    def elsewhere(m, x):
        return F.layer_norm(m.c(x).permute(0, 2, 3, 1), (3,)).permute(0, 3, 2, 1)

    calls = computing(fuse(From(elsewhere, c=conv())))
    assert calls[:2] == ["conv_act", "channel_norm"] and calls[-1] == "permute"


def drawn(norm: nn.BatchNorm2d) -> nn.BatchNorm2d:
    """The norm with statistics of its own."""
    norm.running_mean.uniform_(-1, 1)
    norm.running_var.uniform_(0.5, 2)
    return shifted(norm) if norm.affine else norm


@pytest.mark.parametrize("how", [{}, {"affine": False}, {"eps": 0.1}], ids=str)
@pytest.mark.parametrize("filters", [(3, {"padding": 1}), (5, {"padding": 2}), (1, {})], ids=str)
def test_a_batch_norm_behind_a_convolution_is_in_its_weights(filters, how):
    torch.manual_seed(0)
    size, options = filters
    c = nn.Conv2d(3, 3, size, **options)
    graph = fuse(From(lambda m, x: F.relu(m.n(m.c(x))), c=c, n=drawn(nn.BatchNorm2d(3, **how))))
    assert computing(graph) == ["conv_act" if size < 5 else "direct_conv_act"]


def test_a_batch_norm_elsewhere_is_a_formula():
    def gated(m, x):
        return m.c(m.c(x) * F.relu(m.n(x)))

    graph = fuse(From(gated, c=conv(), n=drawn(nn.BatchNorm2d(3))))
    assert computing(graph) == ["conv_act", "mul", "add", "relu", "mul", "conv_act"]


def test_a_batch_norm_before_a_convolution_is_a_formula():
    """Its offset is none of a picture that a program reads."""

    def before(m, x):
        return m.c(m.n(m.c(x).tanh())).tanh()

    torch.manual_seed(0)
    model = From(before, c=conv(), n=drawn(nn.BatchNorm2d(3))).eval()
    assert computing(fuse(model)) == ["conv_act", "tanh", "mul", "sub", "conv_act", "tanh"]
    x = torch.rand(1, 3, 40, 40)
    with torch.no_grad():
        expected = model(x)
        accelerate(model)
        assert explain(model).title.startswith("accelerated")
        assert torch.allclose(model(x), expected, atol=1e-5)


def test_a_batch_norm_of_the_pictures_own_statistics_stays():
    def own(m, x):
        return m.n(m.c(x))

    graph = fuse(From(own, c=conv(), n=nn.BatchNorm2d(3, track_running_stats=False)))
    assert computing(graph)[0] == "conv_act" and len(computing(graph)) == 2
