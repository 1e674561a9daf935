"""One learned factor for each channel."""

import torch
from torch import Tensor, nn


class ElementScale(nn.Module):
    """``scale * x`` with ``scale`` of shape ``[1, C, 1, 1]``.

    Networks apply it to what sets x apart from a mean or a common map, which it lets them stress.

    Source: Li et al., "MogaNet: Multi-order Gated Aggregation Network", 2024.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """``[N, C, H, W]`` to the same."""
        return self.scale * x
