"""``channel_norm`` where it lives, between 1x1 and depthwise convolutions."""

import copy

import pytest
import torch
from torch import nn

from esr_kernels.benchmark.problem import Problem
from esr_kernels.benchmark.torch_ways import TORCH_WAYS
from esr_kernels.fusion import accelerate
from esr_kernels.models.blocks.channel_norm import ChannelLayerNorm
from tests.images import image


@pytest.mark.parametrize("channels", [36, 64])
def test_channel_norm(contest, channels):
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Conv2d(3, channels, 3, padding=1)]
    for _ in range(3):
        layers += [
            ChannelLayerNorm(channels, 1e-6),
            nn.Conv2d(channels, 2 * channels, 1),
            nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels),
            nn.GELU(),
            nn.Conv2d(2 * channels, channels, 1),
        ]
    module = nn.Sequential(*layers).eval().requires_grad_(False)
    problem = Problem(
        f"three blocks of {channels} 256x256",
        module,
        (image(1, 3, 256, 256),),
        lambda: accelerate(copy.deepcopy(module)),
    )
    contest("channel_norm", problem, TORCH_WAYS)
