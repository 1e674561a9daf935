"""Arithmetic and activations that no other op takes in become formulas."""

import pytest
import torch
import torch.nn.functional as F
from test_passes import count, fuse
from test_trace import From
from torch import nn

import esr_kernels.fusion as fusion
from esr_kernels.ops import ELEMENTWISE


def formulas(graph):
    return [n.args[1] for n in graph.nodes if n.target is ELEMENTWISE]


def conv(channels: int = 3) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, padding=1)


SPELLINGS = {
    "prelu(x0, c0)": [nn.PReLU(3), lambda x: F.prelu(x, torch.tensor([0.1, 0.2, 0.3]).to(x))],
    "clamp(x0, 0.0, 6.0)": [nn.ReLU6(), F.relu6, lambda x: x.clamp(0, 6), nn.Hardtanh(0, 6)],
    "max(x0, 0.1)": [lambda x: x.clamp(min=0.1), lambda x: torch.clamp(x, 0.1)],
    "min(x0, 0.1)": [lambda x: x.clamp(max=0.1), lambda x: x.clamp_max(0.1)],
    "tanh(x0)": [nn.Tanh(), torch.tanh, lambda x: x.tanh(), F.tanh],
    "hardswish(x0)": [nn.Hardswish(), F.hardswish, nn.Hardswish(inplace=True)],
    "hardsigmoid(x0)": [nn.Hardsigmoid(), F.hardsigmoid],
    "mish(x0)": [nn.Mish(), F.mish],
    "gelu_tanh(x0)": [nn.GELU("tanh"), lambda x: F.gelu(x, approximate="tanh")],
    "elu(x0, 0.5)": [nn.ELU(0.5), lambda x: F.elu(x, 0.5)],
    "softplus(x0)": [nn.Softplus(), F.softplus],
    "square(x0)": [lambda x: x**2, lambda x: x.pow(2), torch.square, lambda x: x.square()],
    "neg(x0)": [lambda x: -x, torch.neg],
    "addcmul(x0, x0, c0)": [lambda x: torch.addcmul(x, x, torch.ones(1, 3, 1, 1).to(x) + 1)],
    "abs(x0)": [abs, torch.abs, lambda x: x.abs()],
    "exp(x0)": [torch.exp, lambda x: x.exp()],
    "div(1.0, x0)": [lambda x: 1 / x],
    "sigmoid(x0); add(t0, 0.5); rsqrt(t1)": [
        lambda x: (x.sigmoid() + 0.5).rsqrt(),
        lambda x: (x.sigmoid() + 0.5) ** -0.5,
    ],
}


@pytest.mark.parametrize(
    ("formula", "way"), [(f, way) for f, ways in SPELLINGS.items() for way in ways]
)
def test_spellings(formula, way):
    module = way if isinstance(way, nn.Module) else None
    parts = {"c": conv(), **({"act": module} if module else {})}
    graph = fuse(From(lambda m, x: (m.act if module else way)(m.c(x)), **parts))
    assert formulas(graph) == [formula]


def test_a_group_has_one_result():
    """What is read outside too is a formula of its own."""

    def forward(m, x):
        y = m.c(x)
        gate = torch.sigmoid(y) - 0.25
        return m.c(gate), torch.tanh(gate * y + x.abs())

    graph = fuse(From(forward, c=conv()))
    assert formulas(graph) == [
        "sigmoid(x0); sub(t0, 0.25)",
        "mul(x0, x1); abs(x2); add(t0, t1); tanh(t2)",
    ]


def test_constants_per_channel_and_in_one_number():
    scale = torch.tensor([0.5, 2, 3]).view(1, 3, 1, 1)
    graph = fuse(From(lambda m, x: torch.tanh(m.c(x) * x * scale / 2 + scale[0]), c=conv()))
    (node,) = [n for n in graph.nodes if n.target is ELEMENTWISE]
    assert len(node.args[2]) == 2 and all(c.meta["value"].shape == (3,) for c in node.args[2])


def test_many_functions_become_several_formulas():
    def forward(m, x):
        y = m.c(x)
        for _ in range(30):
            y = (y * x).tanh()
        return y

    assert 2 <= len(formulas(fuse(From(forward, c=conv())))) <= 4


@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: m.c(x) * torch.sin(x[:, :, :1]),  # the same in every row
        lambda m, x: m.c(x) ** 3,
        lambda m, x: F.softplus(m.c(x), beta=2),
        lambda m, x: torch.add(m.c(x), x, alpha=2),
        lambda m, x: torch.div(m.c(x), 0.3, rounding_mode="floor"),
    ],
)
def test_imposters(function):
    assert count(fuse(From(function, c=conv())), ELEMENTWISE) == 0


@pytest.mark.parametrize(
    "function", [lambda m, x: m.c(x).mean((2, 3)).tanh(), lambda m, x: m.c(x).flatten(2).tanh()]
)
def test_of_what_was_a_picture(function):
    assert formulas(fuse(From(function, c=conv()))) == ["tanh(x0)"]


def test_written_in_place():
    def forward(m, x):
        y = m.c(x)
        y = y.clamp_(0, 1)
        y *= 2
        return y.tanh_()

    module = From(forward, c=conv())
    x = torch.rand(1, 3, 9, 20) - 0.5
    with torch.no_grad():
        expected = module(x.clone())
        fast = fusion.accelerate(module)
        torch.testing.assert_close(fast(x.clone()), expected)
    assert "tanh" in str(fusion.explain(fast))
