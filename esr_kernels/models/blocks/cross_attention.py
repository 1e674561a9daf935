"""Attention between channels, over all pixels of a picture."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .convolution import conv1x1, depthwise


class ChannelCrossAttention(nn.Module):
    """Attention between channels for each head: ``project_out(softmax(temperature * q k^T) v)``.

    A row of q, k, v is a channel over all pixels; those of q and k have length 1.
    ``q = q_dwconv(q(high))``; k, v are the halves of ``kv_dwconv(kv(low))``: 1x1, then depthwise
    3x3 convolutions, none with a bias. ``temperature`` is one parameter for each head.

    Source: Zamir et al., "Restormer: Efficient Transformer for High-Resolution Image Restoration",
    2022, the transposed attention, with queries from another map as in Li et al., 2023 (CRAFT).
    """

    def __init__(self, channels: int, heads: int):
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.q = conv1x1(channels, channels, bias=False)
        self.q_dwconv = depthwise(channels, bias=False)
        self.kv = conv1x1(channels, 2 * channels, bias=False)
        self.kv_dwconv = depthwise(2 * channels, bias=False)
        self.project_out = conv1x1(channels, channels, bias=False)

    def forward(self, high: Tensor, low: Tensor) -> Tensor:
        """Map two ``[N, C, H, W]`` to one."""
        q = self._rows(self.q_dwconv(self.q(high)))
        k, v = map(self._rows, self.kv_dwconv(self.kv(low)).chunk(2, dim=1))
        scores = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).mT
        o = torch.softmax(self.temperature * scores, -1) @ v
        return self.project_out(o.flatten(1, 2).reshape(low.shape))

    def _rows(self, x: Tensor) -> Tensor:
        return x.flatten(2).unflatten(1, (self.heads, -1))
