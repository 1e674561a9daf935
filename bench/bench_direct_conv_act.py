"""``direct_conv_act`` where it lives: convolutions of other kinds after one of 3x3."""

import copy

import pytest
import torch
from torch import nn

from esr_kernels.benchmark.problem import Problem
from esr_kernels.benchmark.torch_ways import TORCH_WAYS
from esr_kernels.fusion import accelerate
from tests.images import image

# name: (kernel, dilation, groups)
CASES = {
    "5x5": (5, 1, 1),
    "3x3 dilation 2": (3, 2, 1),
    "3x3 in 4 groups": (3, 1, 4),
    "1x7": ((1, 7), 1, 1),
}


@pytest.mark.parametrize("name", CASES)
def test_direct_conv_act(contest, name):
    torch.manual_seed(0)
    kernel, dilation, groups = CASES[name]
    layers: list[nn.Module] = [nn.Conv2d(3, 48, 3, padding=1)]
    for _ in range(3):
        conv = nn.Conv2d(48, 48, kernel, padding="same", dilation=dilation, groups=groups)
        layers += [conv, nn.SiLU()]
    module = nn.Sequential(*layers).eval().requires_grad_(False)
    problem = Problem(
        f"three {name}, 48 channels, 256x256",
        module,
        (image(1, 3, 256, 256),),
        lambda: accelerate(copy.deepcopy(module)),
    )
    contest("direct_conv_act", problem, TORCH_WAYS)
