"""What becomes a program on a CPU: what is faster there than in torch, by the model of costs."""

from __future__ import annotations

import pytest
import torch
import torch.fx
import torch.nn.functional as F
from torch import nn

from esr_kernels import fusion, models
from esr_kernels.backends import cpu

pytestmark = [
    pytest.mark.real_costs,
    pytest.mark.skipif(cpu._C is None, reason="esr_kernels._C is not built"),
]


class Convolutions(nn.Module):
    """Four 3x3 convolutions at a part of the picture's size, between strided ones of torch's."""

    def __init__(self, channels: int, part: int):
        super().__init__()
        torch.manual_seed(0)
        self.down = nn.Conv2d(3, channels, part, part)
        self.body = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(4))
        self.up = nn.ConvTranspose2d(channels, 3, part, part)

    def forward(self, x):
        y = self.down(x)
        for conv in self.body:
            y = F.relu(conv(y))
        return self.up(y)


def backends_of(model: nn.Module, op: str) -> set[str]:
    report = fusion.explain(fusion.accelerate(model.eval()))
    return {line.backend for line in report.lines if line.what == op}


@pytest.mark.parametrize("network", [models.SPAN(28), models.RLFN(46, mid=48)])
def test_small_networks_are_programs(network):
    report = fusion.explain(fusion.accelerate(network.eval()))
    assert {line.backend for line in report.lines} == {"cpu"}


@pytest.mark.parametrize(
    ("channels", "part", "who"),
    [(48, 1, "cpu"), (64, 2, "cpu"), (128, 4, "reference"), (256, 4, "reference")],
)
def test_wide_convolutions_of_small_maps_are_left_to_torch(channels, part, who):
    assert backends_of(Convolutions(channels, part), "conv_act") == {who}


@pytest.mark.skipif("amx" not in (cpu._C.isas() if cpu._C else ()), reason="no matrix tiles here")
def test_tiles_take_what_vectors_leave_to_torch():
    model = Convolutions(256, 4).eval()
    report = fusion.explain(fusion.accelerate(model, compute_dtype=torch.bfloat16))
    assert {line.backend for line in report.lines if line.what == "conv_act"} == {"cpu"}


class Formats(torch.fx.Interpreter):
    """Runs a graph, and keeps whether each picture that it makes is channels_last."""

    def __init__(self, graph: torch.fx.GraphModule):
        super().__init__(graph)
        self.seen: list[bool] = []

    def run_node(self, node):
        y = super().run_node(node)
        if node.op in ("call_function", "call_method", "call_module"):
            self.seen.append(y.is_contiguous(memory_format=torch.channels_last))
        return y


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
def test_what_torch_convolves_is_channels_last(layout, tolerance):
    """However the picture comes in; and the result lies as it did."""
    model = Convolutions(128, 4).eval()
    x = torch.rand(1, 3, 44, 52).contiguous(memory_format=layout)
    plain, exact = model(x), Convolutions(128, 4).double()(x.double())
    with torch.inference_mode():
        y = fusion.accelerate(model)(x)
        formats = Formats(model.forward.plans.first.run)
        formats.run(x)
    tolerance(y, plain, exact)
    assert y.stride() == plain.stride()
    assert len(formats.seen) >= 6 and all(formats.seen)


@pytest.mark.parametrize("moved", [True, False])
def test_pictures_whose_channels_torch_reads_last_are_channels_last(moved):
    """As attention in windows does, beside convolutions that are all in programs."""

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.convs = nn.Sequential(*(nn.Conv2d(3 * i, 6, 3, padding=1) for i in (1, 2)))

        def forward(self, x):
            y = self.convs(x)
            y = y.permute(0, 2, 3, 1) if moved else y.permute(0, 1, 3, 2)
            return torch.softmax(y, -1)

    model, x = Attention().eval(), torch.rand(1, 3, 40, 48)
    with torch.inference_mode():
        torch.testing.assert_close(fusion.accelerate(model)(x), model(x))
        formats = Formats(model.forward.plans.first.run)
    turned = [n for n in formats.module.graph.nodes if n.target == "contiguous"]
    assert bool(turned) == moved


def test_what_torch_computes_is_written_over_what_nothing_else_reads():
    """But not over the network's input, nor over what is read again."""

    class Kept(nn.Module):
        def __init__(self):
            super().__init__()
            self.down = nn.Conv2d(3, 256, 3, 4, padding=1)
            self.c = nn.Conv2d(256, 256, 3, padding=1)

        def forward(self, x):
            x = F.leaky_relu(x, 0.5)
            y = self.c(F.leaky_relu(self.down(x), 0.2)[:, :, :8])
            return F.leaky_relu(y, 0.1) + y, x

    model = Kept().eval()
    x = torch.rand(1, 3, 64, 64) - 0.5
    before, expected = x.clone(), model(x)
    with torch.inference_mode():
        ours = fusion.accelerate(model)(x)
    assert torch.equal(x, before)
    for a, b in zip(ours, expected, strict=True):
        torch.testing.assert_close(a, b)


def test_each_level_has_its_program():
    """The pictures of each come from torch: a strided convolution that no op takes."""

    class Level(nn.Module):
        def __init__(self, level: int):
            super().__init__()
            make = lambda: nn.Conv2d(16, 16, 3, padding=1)  # noqa: E731
            self.body, self.end = nn.ModuleList([make(), make(), make()]), make()
            self.down = nn.Conv2d(16, 16, 5, 2, padding=2)
            self.up = nn.ConvTranspose2d(16, 16, 2, 2)
            self.inner = Level(level - 1) if level else nn.Identity()

        def forward(self, x):
            for conv in self.body:
                x = F.relu(conv(x))
            return self.end(x + self.up(self.inner(self.down(x))))

    model = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), Level(1)).eval()
    x = torch.rand(1, 3, 64, 96)
    expected = model(x)
    with torch.inference_mode():
        fast = fusion.accelerate(model)
        torch.testing.assert_close(fast(x), expected)
    bodies = [line for line in fusion.explain(fast).lines if line.detail.endswith("relu")]
    assert len(bodies) == 6 and {line.backend for line in bodies} == {"cpu"}
