"""Attention between channels, over the pixels of one window at a time."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .convolution import conv1x1, depthwise
from .overlap import average_windows, overlapping_windows


class WindowedChannelAttention(nn.Module):
    """Attention between channels in windows: ``project_out(relu(temperature * q k^T) v)``.

    For each head and window, a row of q, k, v is a channel over the pixels of the window; those of
    q and k have length 1. q, k, v are the thirds of ``qkv_dwconv(qkv(u))``, 1x1, then depthwise 3x3
    on the whole map, without biases. Windows have ``window`` x ``window`` pixels, or as many as
    there are, and overlap (``overlapping_windows``); results are averaged where they do.
    ``temperature`` is one parameter for each head.

    Source: Zamir et al., "Restormer: Efficient Transformer for High-Resolution Image Restoration",
    2022, the transposed attention; windows of Chu et al., "Improving Image Restoration by
    Revisiting Global Information Aggregation", 2022; ReLU in the NTIRE 2024 efficient SR report,
    section 4.5."""

    def __init__(self, channels: int, heads: int, window: int):
        super().__init__()
        self.heads = heads
        self.window = window
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = conv1x1(channels, 3 * channels, bias=False)
        self.qkv_dwconv = depthwise(3 * channels, bias=False)
        self.project_out = conv1x1(channels, channels, bias=False)

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        cells = overlapping_windows(self.qkv_dwconv(self.qkv(u)), self.window)
        rows = cells.flatten(4).unflatten(3, (3, self.heads, -1))
        q, k, v = rows.unbind(3)
        scores = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).mT
        o = F.relu(self.temperature * scores) @ v
        o = o.flatten(3, 4).unflatten(4, cells.shape[4:])
        return self.project_out(average_windows(o, u.shape[2], u.shape[3], self.window))
