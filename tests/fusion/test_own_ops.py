"""Networks written with the package's ops: their own calls are ops of the fused graph too."""

import pytest
import torch
from fast import check
from images import image
from operands import conv_weights
from torch import nn

import esr_kernels.fusion as fusion
from esr_kernels import ops


class EveryOp(nn.Module):
    """All ops for pictures, called by the functions of ``esr_kernels.ops``."""

    def __init__(self):
        super().__init__()
        narrow = [(4, 6, 1), (4, 4, 1), (4, 4, 3), (4, 4, 3), (6, 4, 1)]
        groups = {
            "first": conv_weights(6, 3),
            "depthwise": conv_weights(6, 1),
            "block": [t for _ in range(3) for t in conv_weights(6, 6)],
            "attention": [t for sizes in narrow for t in conv_weights(*sizes)],
            "gate": conv_weights(6, 12),
            "tail": conv_weights(12, 6),
        }
        for name, tensors in groups.items():
            self.register_module(name, nn.ParameterList(tensors))

    def forward(self, x):
        f = ops.conv_act(x, *self.first, act="silu")
        f = ops.depthwise_act(f, *self.depthwise, act="relu", residual=f)
        a, t = ops.spab(f, *self.block)
        f = ops.esa(a, *self.attention)
        f = ops.conv_act([f, t], *self.gate, act="span_gate", residual=a)
        return ops.conv3x3_pixel_shuffle(f, *self.tail, upscale_factor=2, skip=x)


class ByName(nn.Module):
    """The same op by each of torch's names for it, and as the object that declares it."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(conv_weights(3, 3)[0])
        self.op = ops.CONV_ACT

    def forward(self, x):
        packet = torch.ops.esr_kernels.conv_act
        for op in (packet, packet.default, self.op):
            x = op([x], self.weight, None, "relu", 0.0, x)
        return x


class FromThePicture(nn.Module):
    """A weight that depends on the input: no program can hold it."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x):
        return ops.conv_act(self.conv(x), self.conv.weight * x.mean(), act="relu")


def fused(network) -> list[str]:
    """Ops of the report, in order; the accelerated network stays right."""
    fusion.accelerate(network.eval().requires_grad_(False))
    return [line.what for line in fusion.explain(network).lines]


def test_every_op_is_taken_as_it_is(tolerance):
    network = EveryOp()
    names = ["conv_act", "depthwise_act", "spab", "esa", "conv_act", "conv3x3_pixel_shuffle"]
    assert fused(network) == names
    check(network, image(2, 3, 33, 37), tolerance)


def test_by_any_name(tolerance):
    network = ByName()
    assert fused(network) == ["conv_act"] * 3
    assert fusion.halo(network) == 3
    check(network, image(1, 3, 17, 19), tolerance)


def test_with_a_weight_from_the_picture_it_stays_in_torch(tolerance):
    network = FromThePicture()
    assert fused(network) == ["conv_act", "torch"]
    check(network, image(1, 3, 17, 19), tolerance)


@pytest.mark.parametrize("network", [EveryOp, ByName])
def test_torch_follows_it_too(network):
    network = network().eval()
    x = image(1, 3, 16, 18)
    assert torch.equal(torch.fx.symbolic_trace(network)(x), network(x))
