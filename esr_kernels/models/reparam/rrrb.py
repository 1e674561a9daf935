"""RRRB: a 3x3 convolution trained between two 1x1, with skips (R2Net and, as ERB, ERRN)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..blocks.convolution import conv1x1
from .form import TrainingForm
from .kernel import Kernel, chain, identity, total


class RRRB(TrainingForm):
    """Residual in residual re-parameterised block: ``reduce_conv(fea_conv(e) + e) + x``.

    ``e = expand_conv(pad(x))``, 1x1 to ``ratio * channels``; fea_conv is an unpadded 3x3, its skip
    e without the ring; reduce_conv is 1x1 back. x is zero-padded before the first 1x1, whose bias
    so fills the ring: the whole equals one 3x3, at the borders too. R2Net has ``bias=False``.

    Source: Du et al., "Fast and Memory-Efficient Network Towards Efficient Image Super-Resolution",
    2022 (FMEN), the names included; NTIRE 2024 efficient SR report, teams 29 and 46.
    """

    def __init__(self, channels: int, ratio: int = 2, *, bias: bool = True):
        super().__init__()
        inner = ratio * channels
        self.expand_conv = conv1x1(channels, inner, bias=bias)
        self.fea_conv = nn.Conv2d(inner, inner, 3, bias=bias)
        self.reduce_conv = conv1x1(inner, channels, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to ``[N, C, H, W]``."""
        e = self.expand_conv(F.pad(x, (1, 1, 1, 1)))
        return self.reduce_conv(self.fea_conv(e) + e[..., 1:-1, 1:-1]) + x

    def merge(self, dtype: torch.dtype = torch.float64) -> Kernel:
        """Compute ``W = Wr (W3 + I E) We + I E``.

        ``b = br + Wr (b3 + be + (sum of W3's taps) be)``, and E is the centre tap.
        """
        layers = (self.expand_conv, self.fea_conv, self.reduce_conv)
        expand, inner, reduce = (Kernel.of(layer, dtype) for layer in layers)
        inside = chain(expand, total(inner, identity(inner.weight)), reduce)
        return total(inside, identity(inside.weight))
