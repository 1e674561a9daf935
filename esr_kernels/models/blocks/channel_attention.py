"""Channel attention: one factor for each channel, computed from the statistics of its whole map."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .convolution import conv1x1


class ContrastAttention(nn.Module):
    """Contrast-aware channel attention: ``u * sigmoid(conv_du(std(u) + mean(u)))``.

    Mean and (population) standard deviation are those of each channel over the picture; there is no
    epsilon under the root. conv_du is 1x1 to ``hidden`` channels, ``act``, and 1x1 back, followed
    by a batch norm if ``norm``.

    Source: Hui et al., "Lightweight Image Super-Resolution with Information Multi-distillation
    Network", 2019.
    """

    def __init__(self, channels: int, hidden: int, act: nn.Module, *, norm: bool = False):
        super().__init__()
        self.conv_du = nn.Sequential(conv1x1(channels, hidden), act, conv1x1(hidden, channels))
        if norm:
            self.conv_du.append(nn.BatchNorm2d(channels))

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to ``[N, C, H, W]``."""
        contrast = torch.std(u, dim=(2, 3), correction=0, keepdim=True)
        return u * torch.sigmoid(self.conv_du(contrast + F.adaptive_avg_pool2d(u, 1)))


class SqueezeExcitation(nn.Module):
    """Squeeze and excitation: ``u * sigmoid(fc(mean(u)))``.

    The mean is that of each channel over the picture; fc is linear to ``hidden`` channels, ReLU,
    and linear back, without biases.

    Source: Hu et al., "Squeeze-and-Excitation Networks", 2018.
    """

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.fc = nn.Sequential(
            nn.Linear(channels, hidden, bias=False),
            nn.ReLU(),
            nn.Linear(hidden, channels, bias=False),
        )

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to ``[N, C, H, W]``."""
        means = F.adaptive_avg_pool2d(u, 1).flatten(1)
        return u * torch.sigmoid(self.fc(means))[:, :, None, None]
