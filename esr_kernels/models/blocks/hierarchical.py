"""Depthwise convolutions of growing reach: each group of channels adds the result before it."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .convolution import depthwise, same_padding


class HierarchicalConv(nn.Module):
    """Hierarchical convolutions ``cat(s1, s2, s3, s4)`` of four equal groups of channels.

    With the groups u1, ..., u4: ``s1 = act(conv2_1(u1))`` and ``sk = act(conv2_k(uk + s(k-1)))``.
    The convolutions are depthwise with zero padding: 3x3, 5x3 (rows x columns), 3x5, and two of 3x3
    one after the other.

    Source: Gao et al., "Res2Net: A New Multi-scale Backbone Architecture", 2019, with separable
    convolutions as in the NTIRE 2024 efficient SR report, section 4.4.
    """

    def __init__(self, channels: int, act: Callable[[Tensor], Tensor]):
        super().__init__()
        shapes = ((3, 3), (5, 3), (3, 5), (3, 3), (3, 3))
        layers = [same_padding(depthwise(channels // 4, shape)) for shape in shapes]
        self.conv2_1, self.conv2_2, self.conv2_3 = layers[:3]
        self.conv2_4 = nn.Sequential(*layers[3:])
        self.act = act

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        u1, u2, u3, u4 = u.chunk(4, dim=1)
        s1 = self.act(self.conv2_1(u1))
        s2 = self.act(self.conv2_2(u2 + s1))
        s3 = self.act(self.conv2_3(u3 + s2))
        s4 = self.act(self.conv2_4(u4 + s3))
        return torch.cat([s1, s2, s3, s4], 1)
