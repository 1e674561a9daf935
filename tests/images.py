"""Test pictures: smooth shading, hard edges and a little texture, as in photographs.

White noise is no test input for these networks: it drives their activations far outside the range
that they were trained on, where every float32 implementation loses digits.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def image(n: int, c: int, h: int, w: int, seed: int = 0) -> Tensor:
    """A batch of pictures: float32 ``[n, c, h, w]`` in [0, 1], contiguous, the same for every run.

    Every plane is a smooth random field, cut by one straight edge, under fine stripes. Planes
    differ from each other, so that swapped channels or pictures are noticed.
    """
    draw = torch.Generator().manual_seed(seed)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, c, 1, 1, generator=draw)

    field = torch.rand(n, c, 5, 5, generator=draw)
    field = F.interpolate(field, size=(h, w), mode="bicubic", align_corners=True)
    y = torch.linspace(-1, 1, h).view(1, 1, h, 1)
    x = torch.linspace(-1, 1, w).view(1, 1, 1, w)
    angle = uniform(0, 2 * math.pi)
    distance = x * angle.cos() + y * angle.sin()
    edge = (distance > uniform(-0.4, 0.4)).float()
    stripes = 0.5 + 0.5 * (uniform(8, 25) * distance).sin()
    return (0.6 * field + 0.3 * edge + 0.1 * stripes).clamp(0, 1)
