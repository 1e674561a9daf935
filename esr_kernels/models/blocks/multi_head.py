"""Heads of grouped convolutions side by side, each with its own spatial attention."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .channel_norm import PixelLayerNorm
from .convolution import conv1x1, conv3x3
from .esa import ESA

SLOPE = 0.05


class MultiHeadESA(nn.Module):
    """Heads of grouped convolutions with a skip: ``ln(head_mix(cat(u, e0, e1, ...)) + u)``.

    The head ``ei`` has ``2 ** (i + 1)`` groups. head_mix is 1x1; ln normalises over the channels of
    each pixel, with epsilon 1e-5.

    Source: NTIRE 2024 efficient SR report, section 4.25 (EMaxGMan).
    """

    def __init__(self, width: int, heads: int, esa_hidden: int):
        super().__init__()
        self.esr_list = nn.ModuleList(Head(width, 2 ** (i + 1), esa_hidden) for i in range(heads))
        self.head_mix = conv1x1((heads + 1) * width, width)
        self.ln = PixelLayerNorm(width, eps=1e-5)

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, width, H, W]`` to the same shape."""
        heads = [head(u) for head in self.esr_list]
        return self.ln(self.head_mix(torch.cat([u, *heads], 1)) + u)


class Head(nn.Module):
    """Head ``esa(lrelu(pw(r2) + u))`` with ``r1 = lrelu(conv1(u))`` and ``r2 = lrelu(conv2(r1))``.

    conv1, conv2 are 3x3 in ``groups`` groups, pw is 1x1; the slope is 0.05.
    """

    def __init__(self, width: int, groups: int, esa_hidden: int):
        super().__init__()
        self.conv1 = conv3x3(width, width, groups=groups)
        self.conv2 = conv3x3(width, width, groups=groups)
        self.pw = conv1x1(width, width)
        self.esa = ESA(width, esa_hidden)

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, width, H, W]`` to the same shape."""
        r1 = F.leaky_relu(self.conv1(u), SLOPE)
        r2 = F.leaky_relu(self.conv2(r1), SLOPE)
        return self.esa(F.leaky_relu(self.pw(r2) + u, SLOPE))
