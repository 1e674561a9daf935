"""``elementwise`` where it lives, between convolutions: activations that none of them takes in."""

import copy

import pytest
import torch
from torch import nn

from esr_kernels.benchmark.problem import Problem
from esr_kernels.benchmark.torch_ways import TORCH_WAYS
from esr_kernels.fusion import accelerate
from tests.images import image

ACTIVATIONS = {"prelu": lambda c: nn.PReLU(c), "clip": lambda c: nn.Hardtanh(0, 1)}
ACTIVATIONS |= {"mish": lambda c: nn.Mish(), "gelu-tanh": lambda c: nn.GELU("tanh")}


@pytest.mark.parametrize("channels", [24, 64])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_elementwise(contest, name, channels):
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, channels, 3, padding=1), ACTIVATIONS[name](channels)]
    for _ in range(4):
        layers += [nn.Conv2d(channels, channels, 3, padding=1), ACTIVATIONS[name](channels)]
    module = nn.Sequential(*layers).eval().requires_grad_(False)
    problem = Problem(
        f"five 3x3 {channels} {name} 256x256",
        module,
        (image(1, 3, 256, 256),),
        lambda: accelerate(copy.deepcopy(module)),
    )
    contest("elementwise", problem, TORCH_WAYS)
