"""What works on tokens becomes what works on pictures, in any layout; what only looks so, not."""

import pytest
import torch
import torch.nn.functional as F
from fast import check
from test_passes import computing, count, fuse
from test_trace import From
from torch import nn

import esr_kernels.fusion as fusion
from esr_kernels.ops import CHANNEL_NORM, CONV_ACT
from tests.images import image

WIDTH = 8
_MOVES = {"flatten", "transpose", "permute", "contiguous", "view", "reshape", "unflatten"}


class Mlp(nn.Module):
    """Of a transformer: norm, two linear layers, residual sum."""

    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.wide, self.narrow = nn.Linear(WIDTH, 12), nn.Linear(12, WIDTH, bias=False)
        nn.init.uniform_(self.norm.weight, 0.5, 2)

    def forward(self, x):
        return x + self.narrow(F.gelu(self.wide(self.norm(x))))


def network(function, **parts):
    ends = {"first": nn.Conv2d(3, WIDTH, 3, padding=1), "last": nn.Conv2d(WIDTH, 3, 3, padding=1)}
    parts = ends | {"mlp": Mlp()} | parts
    return From(lambda m, x: m.last(function(m, m.first(x))), **parts)


def swin(m, x):
    h, w = x.shape[2:]
    tokens = m.mlp(x.flatten(2).transpose(1, 2))
    b, _, c = tokens.shape
    return tokens.transpose(1, 2).view(b, c, h, w)


def by_rows(m, x):
    b, c, h, w = x.size()
    tokens = m.mlp(x.permute(0, 2, 3, 1).reshape(b, h * w, c))
    return tokens.view(b, h, w, c).permute(0, 3, 1, 2).contiguous()


def of_that_shape(m, x):
    return m.mlp(x.flatten(2).mT).mT.reshape(x.shape)


def asked_of_tokens(m, x):
    tokens = x.movedim(1, -1)
    h, w = tokens.shape[1], tokens.size(2)
    tokens = m.mlp(tokens.flatten(1, 2)).unflatten(1, (h, w))
    return tokens.movedim(-1, 1)


def down_columns(m, x):
    tokens = m.mlp(x.transpose(2, 3).flatten(2).transpose(1, 2))
    return tokens.transpose(1, 2).unflatten(2, (x.shape[3], x.shape[2])).transpose(2, 3)


@pytest.mark.parametrize("function", [swin, by_rows, of_that_shape, asked_of_tokens, down_columns])
def test_layers_of_tokens_are_layers_of_the_picture(function):
    graph = fuse(network(function))
    assert computing(graph) == ["conv_act", "channel_norm", "conv_act", "conv_act", "conv_act"]


def gated(m, x):
    a, b = m.mlp.wide(x.movedim(1, -1)).chunk(2, dim=-1)
    return (a * F.silu(b)).movedim(-1, 1)


def test_halves_of_tokens_are_halves_of_channels():
    graph = fuse(network(gated, last=nn.Conv2d(6, 3, 1)))
    calls = computing(graph)
    assert calls.count("channel_part") == 2 and not _MOVES & set(calls)


def squeezed(m, x):
    b, c, _, _ = x.size()
    scale = m.fc(F.adaptive_avg_pool2d(x, 1).view(b, c)).view(b, c, 1, 1)
    return x * scale.expand_as(x)


EXCITED = {
    "views": squeezed,
    "mean": lambda m, x: x * m.fc(x.mean((2, 3)))[:, :, None, None],
    "flatten": lambda m, x: x * m.fc(m.pool(x)).unsqueeze(-1).unsqueeze(-1),
    "squeeze": lambda m, x: (
        x
        * m.fc(x.mean((-2, -1), keepdim=True).squeeze(-1).squeeze(-1)).reshape(x.shape[0], -1, 1, 1)
    ),
    "index": lambda m, x: x * m.fc(F.adaptive_avg_pool2d(x, (1, 1))[:, :, 0, 0])[..., None, None],
}


def excited(function):
    fc = nn.Sequential(
        nn.Linear(WIDTH, 4), nn.ReLU(inplace=True), nn.Linear(4, WIDTH), nn.Sigmoid()
    )
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return network(function, fc=fc, pool=pool)


@pytest.mark.parametrize("function", [pytest.param(f, id=name) for name, f in EXCITED.items()])
def test_squeeze_and_excite_is_made_of_pixels(function):
    graph = fuse(excited(function))
    assert count(graph, CONV_ACT) == 4 and "statistic" in computing(graph)
    assert not {"linear", "view", "flatten", "expand_as"} & set(computing(graph))


def attended(m, x):
    """Torch computes the attention; what follows works on tokens that no picture is known of."""
    tokens = x.flatten(2).transpose(1, 2)
    attention = torch.softmax(tokens @ tokens.transpose(1, 2), -1)
    tokens = m.mlp(tokens + attention @ tokens)
    return tokens.transpose(1, 2).reshape(x.shape)


def test_tokens_of_torch_join_the_picture():
    graph = fuse(network(attended))
    assert count(graph, CHANNEL_NORM) == 1 and count(graph, CONV_ACT) == 4
    assert computing(graph)[-4:] == ["channel_norm", "conv_act", "conv_act", "conv_act"]


def test_tokens_that_are_read_are_made_again():
    def function(m, x):
        tokens = m.mlp(x.flatten(2).transpose(1, 2))
        return tokens.cumsum(1).transpose(1, 2).reshape(x.shape)

    calls = computing(fuse(network(function)))
    assert calls.index("cumsum") > calls.index("permute") > calls.index("conv_act")


def crossed(m, x):
    """Height and width change places on the way back."""
    b, c, h, w = x.shape
    return m.mlp(x.flatten(2).transpose(1, 2)).transpose(1, 2).reshape(b, c, w, h).transpose(2, 3)


def regrouped(m, x):
    """Two rows become one: the tokens' sides are no axes of the picture."""
    b, c, h, w = x.shape
    tokens = F.pad(x, (0, 0, 0, h % 2)).permute(0, 2, 3, 1).reshape(b, -1, 2 * w, c)
    return m.mlp(tokens).permute(0, 3, 1, 2)


def along_rows(m, x):
    """Channels and heights have changed places: the norm is of a row's pixels, not of channels."""
    y = F.pad(x, (0, 0, 0, WIDTH - x.shape[2] % WIDTH)).unflatten(2, (-1, WIDTH))
    return m.mlp(y.transpose(3, 4)).transpose(3, 4).flatten(2, 3)


@pytest.mark.parametrize("function", [regrouped, along_rows])
def test_other_layouts_are_left_to_torch(function):
    calls = computing(fuse(network(function)))
    assert calls.count("linear") == 2 and "layer_norm" in calls


def test_a_picture_that_is_put_together_otherwise_stays():
    calls = computing(fuse(network(crossed)))
    assert "reshape" in calls and "transpose" in calls


def test_a_norm_over_all_tokens_is_none_over_channels():
    def function(m, x):
        tokens = x.flatten(2).transpose(1, 2)
        tokens = F.layer_norm(tokens, tuple(tokens.shape[1:]))
        return tokens.transpose(1, 2).reshape(x.shape)

    assert count(fuse(network(function)), CHANNEL_NORM) == 0


def test_tokens_that_are_written_to_stay():
    def function(m, x):
        tokens = x.movedim(1, -1)
        tokens[:, ::2] = 0
        return m.mlp(tokens).movedim(-1, 1) + x

    assert "linear" in computing(fuse(network(function)))


@pytest.mark.parametrize("shape", [(1, 3, 16, 16), (2, 3, 33, 20), (3, 3, 7, 31)])
@pytest.mark.parametrize("function", [swin, by_rows, attended])
def test_results_at_other_sizes_and_in_batches(function, shape, tolerance):
    torch.manual_seed(0)
    model = fusion.accelerate(network(function).eval().requires_grad_(False))
    check(model, image(*shape), tolerance)


@pytest.mark.parametrize("function", EXCITED.values(), ids=EXCITED)
def test_squeeze_and_excite_parts_no_program(function, tolerance):
    torch.manual_seed(0)
    model = fusion.accelerate(excited(function).eval().requires_grad_(False))
    check(model, image(2, 3, 40, 33), tolerance)
    assert "torch" not in {line.what for line in fusion.explain(model).lines}
