"""What networks made at random consist of."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ACTIVATIONS = (
    *(F.relu, F.silu, F.gelu, torch.sigmoid, torch.tanh, F.elu, F.hardswish, F.softplus),
    *(lambda x: F.leaky_relu(x, 0.1), lambda x: x.relu(), lambda x: x.clamp(-1, 1)),
)
IN_PLACE = (
    *(lambda x: F.relu(x, inplace=True), lambda x: F.leaky_relu(x, 0.2, inplace=True)),
    *(lambda x: x.mul_(0.5), lambda x: x.add_(0.25), lambda x: x.clamp_(-0.5, 2)),
    *(torch.relu_, lambda x: x.sigmoid_(), lambda x: x.neg_(), lambda x: F.elu(x, inplace=True)),
)
MODULES = (
    *(nn.ReLU, nn.SiLU, nn.GELU, lambda: nn.ReLU(inplace=True), lambda: nn.LeakyReLU(0.1, True)),
    *(nn.PReLU, nn.Sigmoid, nn.Identity, nn.Tanh, lambda: nn.SiLU(inplace=True), nn.Mish),
    *(lambda: nn.Hardswish(inplace=True), lambda: nn.Dropout(0.3), lambda: nn.ELU(inplace=True)),
)


@dataclass(frozen=True)
class Kind:
    """What is known of a value when the network is made: its channels, and the doublings of its
    resolution. ``cut``: how many of its last columns are missing."""

    channels: int
    level: int = 0
    cut: int = 0


class Opaque(nn.Module):
    """Branches on values; writes into its input or returns it, or neither."""

    def __init__(self, draw: random.Random) -> None:
        super().__init__()
        self.least = draw.choice((-1e9, 1e9))
        self.written = draw.random() < 0.5
        self.returned = draw.random() < 0.3

    def forward(self, x: Tensor) -> Tensor:
        if float(x.sum()) > self.least and self.written:
            x.mul_(0.75)
        return x if self.returned else x + 0.125


class Network(nn.Module):
    """``steps`` take the module and the list of values so far, and append to it."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList()
        self.steps: list[Callable] = []
        self.result: Callable = lambda v: v[-1]

    def forward(self, x: Tensor):
        values = [x]
        for step in self.steps:
            step(self, values)
        return self.result(values)
