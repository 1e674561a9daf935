"""Depthwise convolutions: what becomes ``depthwise_act``, with what around it, and what not."""

import pytest
import torch
import torch.nn.functional as F
from lookalikes import plain
from test_passes import computing, count, fuse
from test_trace import From
from torch import nn

import esr_kernels.fusion as fusion
from esr_kernels.fusion.graph import depthwise_of
from esr_kernels.models.architectures.smrn import SMRN
from esr_kernels.models.blocks import BSConv
from esr_kernels.ops import CONV_ACT, DEPTHWISE_ACT, OPS

OP = "depthwise_act"


def filters(channels: int, **kwargs) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, groups=channels, **{"padding": 1, **kwargs})


def pointwise(into: int, out: int) -> nn.Conv2d:
    return nn.Conv2d(into, out, 1)


def found(graph):
    (depthwise,) = [depthwise_of(n) for n in graph.nodes if depthwise_of(n)]
    return depthwise


def test_smrn_becomes_ops_only():
    graph = fuse(SMRN(8, blocks=2, esa_hidden=4))
    assert (count(graph, DEPTHWISE_ACT), count(graph, CONV_ACT)) == (5, 5)
    assert all(depthwise_of(n).pointwise for n in graph.nodes if depthwise_of(n))
    assert computing(graph)[0] == "sub"  # the mean; the rest is ops
    assert set(computing(graph)[1:]) <= {op.name for op in OPS}


@pytest.mark.parametrize(
    "convolve",
    [
        lambda m, x: m.conv(x),
        lambda m, x: F.conv2d(x, m.conv.weight, m.conv.bias, padding="same", groups=4),
        lambda m, x: F.conv2d(x, m.conv.weight, m.conv.bias, 1, (1, 1), (1, 1), 4),
    ],
    ids=["module", "same", "function"],
)
@pytest.mark.parametrize(
    "activate", [F.relu, lambda x: F.leaky_relu(x, 0.2), F.silu, F.gelu, lambda x: x]
)
def test_activation_and_residual(convolve, activate):
    graph = fuse(From(lambda m, x: activate(convolve(m, x)) + x, conv=filters(4)), channels=4)
    assert computing(graph) == [OP] and found(graph).residual.op == "placeholder"


def test_the_gate_of_spab():
    def gate(m, x):
        y = m.conv(x)
        return (y + x) * (y.sigmoid() - 0.5)

    graph = fuse(From(gate, conv=filters(4)), channels=4)
    assert computing(graph) == [OP] and found(graph).act == "span_gate"


@pytest.mark.parametrize("bias", [False, True])
def test_the_pointwise_convolution_is_taken_in(bias):
    """Its bias is not in the padding, wherever it stands."""
    conv = nn.Sequential(nn.Conv2d(3, 5, 1, bias=bias), filters(5, bias=not bias), nn.GELU())
    graph = fuse(conv)
    assert computing(graph) == [OP]
    assert (found(graph).pointwise_bias is not None) == bias


def test_constant_factors_go_into_the_weights():
    graph = fuse(From(lambda m, x: m.conv(x * 3) / 2 + 1, conv=BSConv(3, 5)))
    assert computing(graph) == [OP]


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (lambda m, x: m.dw(y := m.pw(x)) + y, ["conv_act", OP]),
        (lambda m, x: m.dw(F.relu(m.pw(x))), ["conv_act", OP]),
        (lambda m, x: m.dw(m.pw(x) + x), ["conv_act", OP]),
        (
            lambda m, x: m.dw(m.wide(torch.cat([x, x.tanh()], 1))),
            ["tanh", "conv_act", OP],
        ),
    ],
    ids=["read twice", "activated", "residual", "concatenation"],
)
def test_a_pointwise_convolution_that_stays(function, names):
    parts = {"pw": pointwise(3, 3), "wide": pointwise(6, 3), "dw": filters(3)}
    assert computing(fuse(From(function, **parts))) == names


def test_a_3x3_before_the_pointwise_convolution_is_multiplied_with_it():
    graph = fuse(nn.Sequential(plain(3, 8), BSConv(8, 4)))
    assert computing(graph) == ["conv_act", OP] and found(graph).pointwise is None


@pytest.mark.parametrize(
    "conv",
    [
        filters(4, padding=1, dilation=2),
        filters(4, padding=(2, 3), dilation=(2, 3)),
        filters(4, stride=(2, 1)),
        filters(24, stride=2),
        filters(4, padding=0),
        filters(4, padding=2),
        filters(4, padding=(1, 0)),
        nn.Conv2d(4, 4, 4, padding="same", groups=4),
    ],
)
def test_imposters(conv):
    graph = fuse(From(lambda m, x: F.relu(m.conv(x)), conv=conv), channels=conv.in_channels)
    assert count(graph, DEPTHWISE_ACT) == 0 and "conv2d" in computing(graph)


@pytest.mark.parametrize(
    ("conv", "dilation"),
    [
        (filters(4, padding=2, dilation=2), 2),
        (filters(4, padding="same", dilation=3), 3),
        (nn.Conv2d(4, 4, 5, padding=2, groups=4), 1),
        (nn.Conv2d(4, 4, 1, groups=4), 1),
        (nn.Conv2d(4, 4, (1, 11), padding=(0, 5), groups=4), 1),
        (nn.Conv2d(4, 4, (7, 1), padding=(9, 0), dilation=(3, 1), groups=4), 3),
        (nn.Conv2d(4, 4, (3, 1), padding="same", dilation=(1, 2), groups=4), 1),
    ],
)
def test_kernels_of_other_sizes(conv, dilation):
    graph = fuse(From(lambda m, x: F.relu(m.conv(x)) + x, conv=conv), channels=4)
    assert computing(graph) == [OP] and found(graph).dilation == dilation


def test_reflected_padding():
    conv = filters(4, padding_mode="reflect")
    graph = fuse(From(lambda m, x: F.relu(m.conv(x)), conv=conv), channels=4)
    assert count(graph, DEPTHWISE_ACT) == 1 and "relu" not in computing(graph)


def test_replicated_padding_stays_a_module():
    conv = filters(4, padding_mode="replicate")
    graph = fuse(From(lambda m, x: F.relu(m.conv(x)), conv=conv), channels=4)
    assert count(graph, DEPTHWISE_ACT) == 0 and "relu" in computing(graph)


def test_weights_that_are_computed():
    def forward(m, x):
        return F.conv2d(
            x, x.mean((0, 2, 3))[:, None, None, None] * m.conv.weight, groups=3, padding=1
        )

    assert count(fuse(From(forward, conv=filters(3))), DEPTHWISE_ACT) == 0


def test_explain():
    model = nn.Sequential(BSConv(3, 5), nn.LeakyReLU(0.2))
    (line,) = fusion.explain(fusion.accelerate(model.eval())).lines
    assert line.what == "depthwise_act"
    assert line.detail == "1x1, 3 -> 5, depthwise 3x3, 5 channels, lrelu(0.2)"
