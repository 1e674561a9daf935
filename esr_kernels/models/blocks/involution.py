"""Involution: a convolution whose kernel is made anew for each pixel and shared by channels."""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .convolution import conv1x1


class Involution(nn.Module):
    """``out[g, c, p] = sum over the taps k of a 3x3 of K[g, k, p] * u[g, c, p + k]``.

    The channels stand in ``groups`` groups that share a kernel, ``[9 * groups, H, W]``, group by
    group and tap by tap, row by row: ``K = conv2(relu(bn(conv1(u))))``, where conv1, without bias,
    is 1x1 to ``hidden`` channels and conv2 1x1. u is zero outside the picture. ``norm=False``: no
    bn, and conv1 with bias.

    Source: Li et al., "Involution: Inverting the Inherence of Convolution for Visual Recognition",
    2021.
    """

    def __init__(self, channels: int, *, groups: int, hidden: int, norm: bool = True):
        super().__init__()
        self.groups = groups
        first: OrderedDict[str, nn.Module] = OrderedDict(
            conv=conv1x1(channels, hidden, bias=not norm)
        )
        if norm:
            first["bn"] = nn.BatchNorm2d(hidden)
        self.conv1 = nn.Sequential(first | {"act": nn.ReLU()})
        self.conv2 = nn.Sequential(OrderedDict(conv=conv1x1(hidden, 9 * groups)))

    def forward(self, u: Tensor) -> Tensor:
        """``[N, C, H, W] -> [N, C, H, W]``."""
        height, width = u.shape[-2:]
        kernels = self.conv2(self.conv1(u)).unflatten(1, (self.groups, 1, 9))
        padded = F.pad(u, (1, 1, 1, 1)).unflatten(1, (self.groups, -1))
        out = torch.zeros_like(u).unflatten(1, (self.groups, -1))
        for k in range(9):
            i, j = divmod(k, 3)
            tap = padded[..., i : i + height, j : j + width]
            out = torch.addcmul(out, kernels[:, :, :, k], tap)
        return out.flatten(1, 2)
