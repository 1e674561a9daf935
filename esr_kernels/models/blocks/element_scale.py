"""A learned factor for each channel."""

import torch
from torch import Tensor, nn


class ElementScale(nn.Module):
    """Product ``scale * x`` with ``scale`` of shape ``[1, C, 1, 1]``.

    Networks apply it to the difference between x and a mean or a common map, to stress that
    difference.

    Source: Li et al., "MogaNet: Multi-order Gated Aggregation Network", 2024.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        return self.scale * x
