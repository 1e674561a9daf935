"""ECB: a 3x3 convolution that is trained beside edge filters (RCN, and in the report RDEN)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..blocks.convolution import conv1x1, conv3x3
from .form import TrainingForm
from .kernel import Kernel, chain, identity, total

# Rows from the top down.
SOBEL_X = ((1.0, 0.0, -1.0), (2.0, 0.0, -2.0), (1.0, 0.0, -1.0))
SOBEL_Y = ((1.0, 2.0, 1.0), (0.0, 0.0, 0.0), (-1.0, -2.0, -1.0))
LAPLACIAN = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))


class EdgeFilter(nn.Module):
    """Edge filter: ``scale * (mask applied to each channel of conv1x1(pad(x); k0, b0)) + bias``.

    ``scale`` and ``bias`` are one number for each channel. x is zero-padded before the 1x1, so b0
    fills the ring.

    Args:
        channels: The number of channels.
        mask: A fixed 3x3 edge filter, the same for all channels.
    """

    mask: Tensor

    def __init__(self, channels: int, mask: tuple[tuple[float, ...], ...]):
        super().__init__()
        self.channels = channels
        pointwise = conv1x1(channels, channels)
        self.k0, self.b0 = pointwise.weight, pointwise.bias
        self.scale = nn.Parameter(1e-3 * torch.randn(channels, 1, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mask", torch.tensor(mask).expand(channels, 1, 3, 3).clone())

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to ``[N, C, H, W]``."""
        inner = F.conv2d(F.pad(x, (1, 1, 1, 1)), self.k0, self.b0)
        return F.conv2d(inner, self.scale * self.mask, self.bias, groups=self.channels)

    def kernel(self, dtype: torch.dtype) -> Kernel:
        """Compute ``W[o, i] = scale[o] k0[o, i] mask``, ``b = bias + scale (sum of mask) b0``."""
        taps = self.scale.to(dtype) * self.mask.to(dtype)
        bias = self.bias.to(dtype) + taps.sum((1, 2, 3)) * self.b0.to(dtype)
        return Kernel(taps * self.k0.to(dtype), bias)


class ExpandSqueeze(nn.Module):
    """1x1 to twice the channels, unpadded 3x3 back: ``conv3x3(conv1x1(pad(x); k0, b0); k1, b1)``.

    x is zero-padded before the 1x1, so b0 fills the ring.
    """

    def __init__(self, channels: int):
        super().__init__()
        expand, squeeze = conv1x1(channels, 2 * channels), conv3x3(2 * channels, channels)
        self.k0, self.b0 = expand.weight, expand.bias
        self.k1, self.b1 = squeeze.weight, squeeze.bias

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to ``[N, C, H, W]``."""
        return F.conv2d(F.conv2d(F.pad(x, (1, 1, 1, 1)), self.k0, self.b0), self.k1, self.b1)

    def kernel(self, dtype: torch.dtype) -> Kernel:
        """Compute ``W = k1 k0``, ``b = b1 + (sum of k1's taps) b0``."""
        k0, b0, k1, b1 = (value.to(dtype) for value in (self.k0, self.b0, self.k1, self.b1))
        return chain(Kernel(k0, b0), Kernel(k1, b1))


class ECB(TrainingForm):
    """Edge-oriented convolution block: the sum of six branches that keep the channels.

    The branches are a 3x3, the expand-squeeze pair, Sobel x, Sobel y and Laplacian filters of a
    1x1, and x itself. Together they equal one 3x3, at the borders too.

    Source: Zhang et al., "Edge-oriented Convolution Block for Real-time Super Resolution on Mobile
    Devices", 2021; NTIRE 2024 efficient SR report, team 04; the names are those of its code.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.conv3x3 = conv3x3(channels, channels)
        self.conv1x1_3x3 = ExpandSqueeze(channels)
        self.conv1x1_sbx = EdgeFilter(channels, SOBEL_X)
        self.conv1x1_sby = EdgeFilter(channels, SOBEL_Y)
        self.conv1x1_lpl = EdgeFilter(channels, LAPLACIAN)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to ``[N, C, H, W]``."""
        edges = self.conv1x1_sbx(x) + self.conv1x1_sby(x) + self.conv1x1_lpl(x)
        return self.conv3x3(x) + self.conv1x1_3x3(x) + edges + x

    def merge(self, dtype: torch.dtype = torch.float64) -> Kernel:
        """Compute ``W = K + k1 k0 + sum over the masks M of s k M + E``.

        E is the centre tap of the identity.
        """
        plain = Kernel.of(self.conv3x3, dtype)
        branches = (self.conv1x1_3x3, self.conv1x1_sbx, self.conv1x1_sby, self.conv1x1_lpl)
        return total(plain, *(branch.kernel(dtype) for branch in branches), identity(plain.weight))
