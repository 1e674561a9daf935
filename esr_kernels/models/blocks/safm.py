"""Spatially adaptive feature modulation: gates made from maps that max pooling has shrunk."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .convolution import conv1x1, depthwise

FACTORS = (4, 8, 16)
SAFM_MIN_SIZE = FACTORS[-1]  # below it the coarsest map has no pixel


def shrink(x: Tensor, factor: int) -> Tensor:
    """Shrink ``[N, C, H, W]`` to ``[N, C, H // factor, W // factor]``, the maximum of each cell.

    Row i of n covers rows ``i * H // n`` up to, not including, ``ceil((i + 1) * H / n)``, and
    columns alike: cells share pixels where ``factor`` does not divide the size.
    """
    return F.adaptive_max_pool2d(x, (x.shape[2] // factor, x.shape[3] // factor))


class SAFM(nn.Module):
    """Gate for u from a pyramid of four levels: ``gelu(aggr(cat(v0, v1, v2, v3))) * u``.

    u is split into four groups of channels. ``v0 = mfr.0(u0)``; u1, u2, u3 are shrunk by 4, 8 and
    16 before mfr.1, mfr.2, mfr.3 and brought back to H x W by nearest neighbour. mfr are depthwise
    3x3 convolutions, aggr is 1x1. H and W are at least 16 (``SAFM_MIN_SIZE``).

    Source: Sun et al., "Spatially-Adaptive Feature Modulation for Efficient Image
    Super-Resolution", 2023; with these factors in GFMN and EGFMN of the NTIRE 2024 efficient SR
    challenge."""

    def __init__(self, channels: int):
        super().__init__()
        levels = 1 + len(FACTORS)
        self.mfr = nn.ModuleList(depthwise(channels // levels) for _ in range(levels))
        self.aggr = conv1x1(channels, channels)

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        u0, u1, u2, u3 = u.chunk(1 + len(FACTORS), dim=1)
        levels = [self.mfr[0](u0)]
        for conv, part, factor in zip(self.mfr[1:], (u1, u2, u3), FACTORS, strict=True):
            small = conv(shrink(part, factor))
            levels.append(F.interpolate(small, size=u.shape[-2:], mode="nearest"))
        return F.gelu(self.aggr(torch.cat(levels, 1))) * u
