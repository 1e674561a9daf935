"""Fused graphs as programs: subgraphs of the kernels, and what torch computes between them."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from images import image
from torch import nn

import esr_kernels
from esr_kernels.models.architectures.rlfn import RLFN
from esr_kernels.models.architectures.span import SPAN

pytest.importorskip("esr_kernels._C", reason="esr_kernels._C is not built")


@pytest.fixture(autouse=True)
def no_grad():
    with torch.no_grad():
        yield


def conv(into: int, out: int, k: int = 3) -> nn.Conv2d:
    return nn.Conv2d(into, out, k, padding=k // 2)


class Network(nn.Module):
    """``channels`` lists the convolutions ``c``; ``forward`` is each test's own."""

    def __init__(self, forward, *channels: tuple[int, ...]):
        super().__init__()
        torch.manual_seed(0)
        self.c = nn.ModuleList(conv(*sizes) for sizes in channels)
        self.how = forward
        self.eval()

    def forward(self, x):
        return self.how(self, x)


def check(model: nn.Module, tolerance, *pictures: torch.Tensor) -> set[str]:
    """The accelerated model is as good as the model. Returns the backends that it names."""
    plain, exact = copy.deepcopy(model), copy.deepcopy(model).double()
    report = esr_kernels.explain(esr_kernels.accelerate(model))
    named = {line.backend for line in report.lines if line.backend}
    assert report.title.startswith("accelerated") == (named != {"reference"}), str(report)
    for x in pictures:
        results = zip(*(_several(m) for m in (model(x), plain(x), exact(x.double()))), strict=True)
        for ours, theirs, exactly in results:
            tolerance(ours, theirs, exactly)
    return named


def _several(y):
    return (y,) if isinstance(y, torch.Tensor) else y


PICTURES = [image(1, 3, 31, 33), image(2, 3, 7, 9), image(1, 3, 1, 1), image(1, 3, 40, 130)]


def between(m, x):
    """Something no kernel knows stands between the convolutions, twice."""
    y = F.silu(m.c[0](x))
    y = F.silu(m.c[1](torch.tanh(y))) + y
    return m.c[2](F.softmax(y, 1))


def two_sizes(m, x):
    """A branch at half the size; only one size fits into a program."""
    y = F.silu(m.c[0](x))
    low = F.silu(m.c[1](F.avg_pool2d(y, 2, ceil_mode=True)))
    low = m.c[1](low)
    return m.c[2](y + F.interpolate(low, size=y.shape[2:], mode="nearest"))


def half_the_size(m, x):
    """Everything works at another size than the picture's."""
    y = F.avg_pool2d(x, 2, ceil_mode=True)
    return m.c[2](F.silu(m.c[1](F.silu(m.c[0](y)))))


def hidden_used(m, x):
    """SPAB's hidden map is a result, and read by a later layer."""
    u = m.c[0](x)
    t = F.silu(m.c[1](u))
    y = m.c[1](F.silu(m.c[1](t)))
    out = (y + u) * (torch.sigmoid(y) - 0.5)
    return m.c[2](out + u), t, out


def diamond(m, x):
    """A value goes into torch and past it."""
    y = F.silu(m.c[0](x))
    z = torch.cos(y)
    return m.c[2](F.silu(m.c[1](z)) + y), torch.cos(z), y


def input_twice(m, x):
    """The picture as it is, shifted, and added at the end."""
    shifted = x - 0.4
    return m.c[3](F.relu(m.c[0](shifted)) + F.relu(m.c[0](x))) + x


def concat(m, x):
    y = F.relu(m.c[0](x))
    z = F.relu(m.c[1](y))
    return m.c[4](torch.cat([z, y, torch.sin(z)], 1))


def positions(m, x):
    """A constant of the size of the values is added."""
    return m.c[1](F.relu(m.c[0](x) + m.c[1].bias.view(1, -1, 1, 1)))


LAYERS = ((3, 8), (8, 8), (8, 5), (8, 3), (24, 4))


@pytest.mark.parametrize(
    "forward",
    [between, two_sizes, half_the_size, hidden_used, diamond, input_twice, concat, positions],
    ids=lambda f: f.__name__,
)
def test_torch_in_between(forward, tolerance):
    named = check(Network(forward, *LAYERS), tolerance, *PICTURES)
    assert "cpu" in named


def shuffled_twice(m, x):
    y = F.pixel_shuffle(m.c[1](F.silu(m.c[0](x))), 2)
    return F.pixel_shuffle(m.c[2](y), 2)


def shuffled_then_convolved(m, x):
    """The usual end of older networks: work at the large size after the shuffle."""
    y = F.silu(F.pixel_shuffle(m.c[1](F.silu(m.c[0](x))), 2))
    return m.c[3](y) + F.interpolate(x, scale_factor=2, mode="nearest")


def two_enlargements(m, x):
    y = F.silu(m.c[0](x))
    skip = F.interpolate(x, scale_factor=2, mode="nearest")
    return F.pixel_shuffle(m.c[4](y), 2) + skip, F.pixel_shuffle(m.c[1](y), 2)


@pytest.mark.parametrize(
    "forward", [shuffled_twice, shuffled_then_convolved, two_enlargements], ids=lambda f: f.__name__
)
def test_shuffles(forward, tolerance):
    model = Network(forward, (3, 8), (8, 16), (4, 12), (4, 3), (8, 12))
    assert "cpu" in check(model, tolerance, *PICTURES)


def test_large_factor(tolerance):
    """Beyond the kernels' factors torch shuffles."""
    model = Network(lambda m, x: F.pixel_shuffle(m.c[0](x), 9), (3, 81))
    check(model, tolerance, *PICTURES)


def test_many_sources(tolerance):
    """More inputs than a kernel takes."""

    def many(m, x):
        parts = [F.relu(c(x)) for c in list(m.c)[:-1]]
        return m.c[-1](torch.cat(parts, 1))

    check(Network(many, *[(3, 2)] * 11, (22, 3)), tolerance, *PICTURES)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("forward", [between, hidden_used, concat], ids=lambda f: f.__name__)
def test_half_precision(forward, dtype, tolerance):
    model = Network(forward, *LAYERS).to(dtype)
    assert "cpu" in check(model, tolerance, *(x.to(dtype) for x in PICTURES))


@pytest.mark.parametrize("forward", [between, hidden_used, two_sizes], ids=lambda f: f.__name__)
def test_layouts(forward, tolerance):
    wide = image(1, 3, 22, 70)
    strided = [wide[..., ::2], wide[:, :, 1::3, 3:], wide.mT.contiguous().mT]
    last = [x.contiguous(memory_format=torch.channels_last) for x in PICTURES]
    model = Network(forward, *LAYERS)
    check(model, tolerance, *strided, *last)
    plain = esr_kernels.restore(copy.deepcopy(model))
    for x in (last[0], PICTURES[0]):
        for ours, theirs in zip(_several(model(x)), _several(plain(x)), strict=True):
            assert ours.stride() == theirs.stride()


@pytest.mark.parametrize(
    "make", [lambda: SPAN(14, scale=2), lambda: RLFN(14, mid=16, blocks=2, esa_hidden=8)]
)
def test_networks_are_one_subgraph(make):
    torch.manual_seed(0)
    model = esr_kernels.accelerate(make().eval())
    text = str(esr_kernels.explain(model))
    assert " cpu " in text and "reference" not in text
    names = [
        p for p, _ in model.__dict__["forward"].plans.first.run.named_modules() if "subgraph" in p
    ]
    assert len([p for p in names if "." not in p]) == 1


# What a test picture of one size cannot tell: these must be right at other sizes too.


def fixed_size(m, x):
    """The inner size is the test picture's, whatever the picture's."""
    y = F.adaptive_avg_pool2d(x, (20, 23))
    return F.relu(m.c[0](x)), m.c[1](F.relu(m.c[0](y)))


def mean_of_batch(m, x):
    """One picture made of all: it meets the others in a sum."""
    return m.c[1](F.relu(m.c[0](x))) + F.relu(m.c[0](x.mean(0, keepdim=True)))


def one_row(m, x):
    """Broadcast over the height, which is 1 only sometimes."""
    y = F.relu(m.c[0](x[:, :, :20]))
    return m.c[1](F.relu(m.c[0](x)))[:, :, :20] + y


@pytest.mark.parametrize("forward", [fixed_size, mean_of_batch, one_row], ids=lambda f: f.__name__)
def test_sizes_that_agree_by_chance(forward, tolerance):
    pictures = [image(1, 3, 20, 23), image(3, 3, 9, 9), image(2, 3, 64, 130), image(1, 3, 1, 5)]
    check(Network(forward, *LAYERS), tolerance, *pictures)


class Positions(nn.Module):
    """A map of numbers, added or beside the values: good for one size only."""

    def __init__(self, beside: bool):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = conv(3, 8), conv(16 if beside else 8, 8)
        self.map = nn.Parameter(torch.randn(1, 8, 20, 23))
        self.beside = beside

    def forward(self, x):
        y = F.relu(self.a(x))
        return self.b(torch.cat([y, self.map], 1)) if self.beside else self.b(y) + self.map


@pytest.mark.parametrize("beside", [False, True])
def test_constant_maps(beside, tolerance):
    check(Positions(beside).eval(), tolerance, image(1, 3, 20, 23))


def test_constant_maps_are_broadcast(tolerance):
    check(Positions(False).eval(), tolerance, image(3, 3, 20, 23))


class Attention(nn.Module):
    """ESA without a check of the picture's size."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last, self.side = conv(3, 4, 1), conv(4, 3, 1), conv(4, 4, 1)
        self.down, self.small = nn.Conv2d(4, 4, 3, stride=2), conv(4, 4)

    def forward(self, x):
        a = self.first(x)
        y = self.small(F.max_pool2d(self.down(a), 7, 3))
        y = F.interpolate(y, x.shape[2:], mode="bilinear", align_corners=False)
        return x * torch.sigmoid(self.last(y + self.side(a)))


def test_esa_on_small_pictures(tolerance):
    """An error as from the module itself, not a picture made of other memory."""
    model = Attention().eval()
    plain = copy.deepcopy(model)
    assert "cpu" in check(model, tolerance, image(1, 3, 15, 15), image(2, 3, 15, 90))
    for size in [(14, 40), (40, 14), (3, 3), (1, 1)]:
        for either in (plain, model):
            with pytest.raises((RuntimeError, ValueError)):
                either(image(1, 3, *size))


def test_a_1x1_alone_is_left_to_torch(tolerance):
    """Between torch's nodes a program is worth its layout only with a 3x3 in it."""

    def alone(m, x):
        return m.c[1](torch.sin(F.gelu(m.c[0](x))))

    def beside_a_3x3(m, x):
        return m.c[1](F.gelu(m.c[0](x)))

    sizes = (3, 20, 1), (20, 8, 1)
    assert check(Network(alone, *sizes), tolerance, *PICTURES) == {"reference"}
    assert check(Network(beside_a_3x3, *sizes), tolerance, *PICTURES) == {"reference"}
    sizes = (3, 20, 1), (20, 8, 3)
    assert check(Network(alone, *sizes), tolerance, *PICTURES) == {"reference", "cpu"}
    assert check(Network(beside_a_3x3, *sizes), tolerance, *PICTURES) == {"cpu"}
