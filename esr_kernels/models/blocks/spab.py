"""SPAB: the block of SPAN, whose attention has no parameters."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SPAB(nn.Module):
    """Swift parameter-free attention block: ``o = (w + u) * (sigmoid(w) - 1/2)``.

    ``t = silu(c1_r(u))``, ``v = silu(c2_r(t))``, ``w = c3_r(v)``, with 3x3 convolutions of
    ``width`` channels made by ``convolution(in_channels, out_channels)``. ``t`` is returned as
    well, activated: the last block's goes into the concatenation at the end of SPAN.

    Source: Wan et al., 2023 (SPAN); NTIRE 2024 efficient SR report, section 4.1.
    """

    def __init__(self, width: int, convolution: Callable[[int, int], nn.Module]):
        super().__init__()
        self.c1_r = convolution(width, width)
        self.c2_r = convolution(width, width)
        self.c3_r = convolution(width, width)

    def forward(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``[N, C, H, W]`` to the output and the first hidden map, both of the same shape."""
        t = F.silu(self.c1_r(u))
        v = F.silu(self.c2_r(t))
        w = self.c3_r(v)
        return (w + u) * (torch.sigmoid(w) - 0.5), t
