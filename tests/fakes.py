"""A network whose result everybody can work out, and a picture for it."""

import numpy as np
import torch
from torch import nn

COLOUR = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)


class Nearest(nn.Module):
    """Repeats pixels: a network whose result everybody can work out."""

    scale = 2

    def __init__(self, halo_px: int | None = 0):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()), requires_grad=False)
        self.halo_px = halo_px

    def forward(self, x):
        return self.gain * x.repeat_interleave(2, 2).repeat_interleave(2, 3)


def twice(pixels: np.ndarray) -> np.ndarray:
    return pixels.repeat(2, 0).repeat(2, 1)
