"""The feed-forward part of a transformer block."""

import torch.nn.functional as F
from torch import Tensor, nn


class MLP(nn.Module):
    """Feed-forward ``fc2(gelu(fc1(x)))`` on the last axis (GELU with erf)."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[..., width]`` to the same shape."""
        return self.fc2(F.gelu(self.fc1(x)))
