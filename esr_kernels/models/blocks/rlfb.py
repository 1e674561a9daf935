"""RLFB: the block of RLFN."""

import torch.nn.functional as F
from torch import Tensor, nn

from .convolution import conv1x1, conv3x3
from .esa import ESA

SLOPE = 0.05


class RLFB(nn.Module):
    """Residual local feature block: ``esa(c5(r3 + u))``.

    ``r1 = lrelu(c1_r(u))``, ``r2 = lrelu(c2_r(r1))``, ``r3 = lrelu(c3_r(r2))``: 3x3 convolutions
    ``width -> mid -> mid -> width``, each activated with slope 0.05; c5 is 1x1.

    Source: Kong et al., "Residual Local Feature Network for Efficient Super-Resolution", 2022.
    """

    def __init__(self, width: int, mid: int, esa_hidden: int = 16):
        super().__init__()
        self.c1_r = conv3x3(width, mid)
        self.c2_r = conv3x3(mid, mid)
        self.c3_r = conv3x3(mid, width)
        self.c5 = conv1x1(width, width)
        self.esa = ESA(width, esa_hidden)

    def forward(self, u: Tensor) -> Tensor:
        """``[N, C, H, W] -> [N, C, H, W]``."""
        r1 = F.leaky_relu(self.c1_r(u), SLOPE)
        r2 = F.leaky_relu(self.c2_r(r1), SLOPE)
        r3 = F.leaky_relu(self.c3_r(r2), SLOPE)
        return self.esa(self.c5(r3 + u))
