"""Programs with values of several sizes: pooled, enlarged, and of one pixel."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from images import image
from operands import conv_weights
from test_compile import Network
from torch import nn

import esr_kernels.fusion as fusion
from esr_kernels.backends.lowering.sizes import ONE, PICTURE, SHUFFLED, result_size
from esr_kernels.ops import ELEMENTWISE, OPS, RESAMPLE, STATISTIC, WINDOW_MAX
from esr_kernels.ops.strided_conv import SIZES as STRIDED

_C = pytest.importorskip("esr_kernels._C", reason="esr_kernels._C is not built")
from esr_kernels.backends.cpu.builder import Builder  # noqa: E402
from esr_kernels.backends.lowering.lower import LOWER  # noqa: E402

every_isa = pytest.mark.parametrize("isa", _C.isas())
REFERENCE = {op.name: op.reference for op in OPS}
SIZES = [(16, 16), (17, 33), (31, 64), (40, 130), (64, 19)]


@pytest.fixture(autouse=True)
def no_grad():
    with torch.no_grad():
        yield


def picture(n, c, h, w, seed=0):
    return 4 * image(n, c, h, w, seed) - 1


def program(build, *inputs):
    """What ``build`` makes of a program's inputs, by steps of it."""
    builder = Builder()

    def op(name, *args):
        return LOWER[name](builder, *args)

    builder.output(build(op, *(builder.input(x.shape[1]) for x in inputs)))
    return builder.run(list(inputs))[0]


def in_torch(build, *inputs):
    return build(lambda name, *args: REFERENCE[name](*args), *inputs)


def compare(build, tolerance, *inputs):
    exact = in_torch(build, *(x.double() for x in inputs))
    tolerance(program(build, *inputs), in_torch(build, *inputs), exact)


@every_isa
@pytest.mark.parametrize(
    "windows",
    [
        *((2, 2, 0), (3, 1, 0), (7, 3, 0), (3, 2, 1), (4, 1, 2), (9, 2, 4)),
        *((0, 1, 0), (0, 2, 0), (0, 3, 0), (0, 7, 0)),
    ],
)
def test_window_max(windows, isa, monkeypatch):
    monkeypatch.setenv("ESR_KERNELS_ISA", isa)
    for size in SIZES:
        x = picture(2, 5, *size)
        x[0, 1, 4, 5] = torch.nan
        ours = program(lambda op, x: op("window_max", x, *windows), x)
        assert torch.equal(ours.nan_to_num(9), REFERENCE["window_max"](x, *windows).nan_to_num(9))


@every_isa
def test_pooled_attention_with_three_convolutions(isa, tolerance, monkeypatch):
    """As RFDN has it: a map is halved, pooled, filtered, and enlarged to the picture's size."""
    monkeypatch.setenv("ESR_KERNELS_ISA", isa)
    halving, filtering = conv_weights(5, 5), conv_weights(5, 5, seed=1)

    def build(op, x):
        like = [w.to(x.dtype) if torch.is_tensor(x) else w for w in (*halving, *filtering)]
        small = op("window_max", op("strided_conv", x, *like[:2], 0), 7, 3, 0)
        small = op("conv_act", [small], *like[2:], "relu", 0.0, None)
        return op("resample", small, x, 1, "bilinear")

    for size in SIZES:
        compare(build, tolerance, picture(2, 5, *size))


@every_isa
@pytest.mark.parametrize("windows", [(5, 3, 1), (7, 3, 1), (2, 1, 0), (4, 2, 1)])
def test_window_variance(windows, isa, tolerance, monkeypatch):
    monkeypatch.setenv("ESR_KERNELS_ISA", isa)
    for size in SIZES:
        for shift in (0, 30):  # nothing cancels
            x = picture(2, 5, *size) + shift
            compare(lambda op, x: op("window_variance", x, *windows), tolerance, x)


@every_isa
@pytest.mark.parametrize(("kernel", "padding"), STRIDED)
def test_strided_conv(kernel, padding, isa, tolerance, monkeypatch):
    monkeypatch.setenv("ESR_KERNELS_ISA", isa)
    weights = conv_weights(7, 5, kernel)

    def build(op, x):
        like = [w.to(x.dtype) if torch.is_tensor(x) else w for w in weights]
        return op("strided_conv", x, *like, padding)

    for size in SIZES:
        compare(build, tolerance, picture(2, 5, *size))


@every_isa
@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
@pytest.mark.parametrize("divisor", [1, 2, 3, 8])
def test_back_to_the_size_of_the_picture(mode, divisor, isa, tolerance, monkeypatch):
    monkeypatch.setenv("ESR_KERNELS_ISA", isa)

    def build(op, x):
        return op("resample", op("window_max", x, 0, divisor, 0), x, 1, mode)

    for size in SIZES:
        compare(build, tolerance, picture(2, 5, *size))


@every_isa
@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_larger_than_the_picture(mode, factor, isa, tolerance, monkeypatch):
    monkeypatch.setenv("ESR_KERNELS_ISA", isa)
    for size in [(1, 1), (7, 33), (18, 5)]:
        x = picture(1, 3, *size)
        compare(lambda op, x: op("resample", x, None, factor, mode), tolerance, x)


@every_isa
@pytest.mark.parametrize("measure", [("mean", 0), ("var", 0), ("var", 1), ("std", 0), ("std", 1)])
def test_statistics(measure, isa, tolerance, monkeypatch):
    monkeypatch.setenv("ESR_KERNELS_ISA", isa)
    for size in [(1, 2), (7, 1), (33, 31), (64, 300)]:
        for offset in (0, 100):  # a mean far from zero, which squares would drown in
            x = picture(2, 5, *size) + offset
            compare(lambda op, x: op("statistic", x, *measure), tolerance, x)


@pytest.mark.parametrize("part", [(0, 1), (2, 3), (0, 5), (4, 1)])
def test_channel_part(part):
    x = picture(2, 5, 9, 70)
    ours = program(lambda op, x: op("channel_part", x, *part), x)
    assert torch.equal(ours, x[:, part[0] : sum(part)])


def test_channel_join():
    inputs = [picture(2, c, 9, 70, seed=c) for c in (1, 5, 2)]
    ours = program(lambda op, *x: op("channel_join", x), *inputs)
    assert torch.equal(ours, torch.cat(inputs, 1))


@every_isa
def test_one_pixel_for_a_picture(isa, tolerance, monkeypatch):
    """Before and behind other operands, of all channels and of one."""
    monkeypatch.setenv("ESR_KERNELS_ISA", isa)

    def build(op, x, u):
        pixel = op("statistic", x, "mean", 0)
        gate = op("elementwise", [pixel], "sigmoid(x0); mul(t0, c0)", [torch.arange(6.0)])
        alone = op("statistic", u, "std", 0)
        return op("elementwise", [gate, x, u, alone], "mul(x1, x0); add(t0, x2); sub(t1, x3)", [])

    for size in SIZES:
        x, u = picture(2, 6, *size), picture(2, 1, *size, seed=1)
        plain = in_torch(build, x, u)
        torch.testing.assert_close(program(build, x, u), plain, rtol=3e-6, atol=3e-6)


def test_threads_change_nothing(monkeypatch):
    def build(op, x):
        pixel = op("statistic", x, "var", 0)
        small = op("window_max", x, 0, 4, 0)
        large = op("resample", small, x, 1, "nearest")
        return op("elementwise", [x, pixel, large], "mul(x0, x1); add(t0, x2)", [])

    x = picture(2, 5, 70, 90)
    results = []
    for threads in (1, 2, 3, 7):
        monkeypatch.setattr("esr_kernels.backends.cpu.builder.threads", lambda n=threads: n)
        results.append(program(build, x))
    assert all(torch.equal(results[0], each) for each in results)


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="another size"):
        program(
            lambda op, x: op("elementwise", [x, op("window_max", x, 2, 2, 0)], "add(x0, x1)", []),
            picture(1, 3, 8, 8),
        )


def test_size_rules():
    half = result_size(WINDOW_MAX, (PICTURE, 2, 2, 0))
    assert half != PICTURE and result_size(WINDOW_MAX, (PICTURE, 0, 2, 0)) == half
    assert result_size(WINDOW_MAX, (PICTURE, 1, 1, 0)) == PICTURE
    assert result_size(RESAMPLE, (half, PICTURE, 1, "nearest")) == PICTURE
    assert result_size(RESAMPLE, (half, None, 2, "nearest")) not in (PICTURE, half)  # odd sizes
    assert result_size(STATISTIC, (half, "mean", 0)) == ONE
    assert result_size(ELEMENTWISE, ((half, ONE), "add(x0, x1)", ())) == half
    assert result_size(ELEMENTWISE, ((half, PICTURE), "add(x0, x1)", ())) is None
    assert SHUFFLED not in (ONE, PICTURE, half)


class Modulation(nn.Module):
    """As SAFMN has it: channels apart, pooled by 1, 2 and 4, filtered, and together again."""

    def __init__(self, channels: int):
        super().__init__()
        part = channels // 3
        self.mfr = nn.ModuleList(nn.Conv2d(part, part, 3, padding=1, groups=part) for _ in range(3))
        self.aggr = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        h, w, parts = x.size(2), x.size(3), x.chunk(3, dim=1)
        out = [self.mfr[0](parts[0])]
        for i in (1, 2):
            small = F.adaptive_max_pool2d(parts[i], (h // 2**i, w // 2**i))
            small = self.mfr[i](small)
            out.append(F.interpolate(small, size=(h, w), mode="nearest"))
        return F.gelu(self.aggr(torch.cat(out, 1))) * x


class Attention(nn.Module):
    """Contrast-aware channel attention."""

    def __init__(self, channels: int):
        super().__init__()
        self.squeeze, self.excite = nn.Conv2d(channels, 2, 1), nn.Conv2d(2, channels, 1)

    def forward(self, x):
        pooled = x.std((2, 3), correction=0, keepdim=True) + F.adaptive_avg_pool2d(x, 1)
        return x * torch.sigmoid(self.excite(F.relu(self.squeeze(pooled))))


class Sized(nn.Module):
    def __init__(self):
        super().__init__()
        self.head, self.tail = nn.Conv2d(3, 12, 3, padding=1), nn.Conv2d(12, 12, 3, padding=1)
        self.mix, self.attend = Modulation(12), Attention(12)

    def forward(self, x):
        y = self.head(x)
        y = self.attend(self.mix(y) + y) + y
        return F.pixel_shuffle(self.tail(y), 2)


def subgraphs(model) -> int:
    modules = model.forward.plans.first.run._modules
    return sum(name.startswith("subgraph") for name in modules)


def test_a_network_of_several_sizes_is_one_program(tolerance):
    torch.manual_seed(0)
    model, exact = Sized().eval(), Sized().eval().double()
    exact.load_state_dict(model.state_dict())
    x = [picture(n, 3, *size) for n, size in zip((1, 2, 1, 3, 1), SIZES, strict=True)]
    plain = [model(each) for each in x]
    fast = fusion.accelerate(model)
    for each, expected in zip(x, plain, strict=True):
        tolerance(fast(each), expected, exact(each.double()))
    assert subgraphs(fast) == 1
    assert {line.what for line in fusion.explain(fast).lines} >= {"statistic", "window_max"}


def test_a_value_of_another_size_never_leaves_its_program(tolerance):
    """Torch's sine needs a part of the network before it, and one behind: what is pooled in the one
    is no picture for the other."""

    def forward(m, x):
        y = m.c[0](x)
        small = F.max_pool2d(y, 2)
        pixel = torch.sin(m.c[1](y)).mean((2, 3), keepdim=True)
        return F.interpolate(small * pixel, size=(y.size(2), y.size(3))) + y

    model = Network(forward, (3, 8), (8, 8))
    x = picture(2, 3, 18, 37)
    plain, exact = model(x), Network(forward, (3, 8), (8, 8)).double()
    exact.load_state_dict(model.double().state_dict())
    fast = fusion.accelerate(model.float())
    tolerance(fast(x), plain, exact(x.double()))
