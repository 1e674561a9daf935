"""ESA: enhanced spatial attention, computed on a pooled map."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .convolution import conv1x1, conv3x3

ESA_MIN_SIZE = 15  # the stride-2 convolution leaves (15 - 3) // 2 + 1 = 7 rows for the 7x7 pooling


class ESA(nn.Module):
    """Enhanced spatial attention: ``u * sigmoid(conv4(up(conv3(pool(conv2(a)))) + conv_f(a)))``.

    ``a = conv1(u)`` has ``hidden`` channels; conv1, conv_f, conv4 are 1x1; conv2 is 3x3 with stride
    2 and no padding, the max-pool 7x7 with stride 3, conv3 3x3; ``up`` is bilinear to u's own size
    (half-pixel centres). There is no activation but the sigmoid. The pooled map leaves out border
    rows and is stretched over the whole picture all the same; trained weights count on it.

    Height and width are at least 15 (``ESA_MIN_SIZE``); networks check it at their input.

    Source: Liu et al., "Residual Feature Distillation Network for Lightweight Image
    Super-Resolution", 2020; in this form in RLFN (Kong et al., 2022).
    """

    def __init__(self, channels: int, hidden: int = 16):
        super().__init__()
        self.conv1 = conv1x1(channels, hidden)
        self.conv_f = conv1x1(hidden, hidden)
        self.conv2 = nn.Conv2d(hidden, hidden, 3, stride=2)
        self.conv3 = conv3x3(hidden, hidden)
        self.conv4 = conv1x1(hidden, channels)

    def forward(self, u: Tensor) -> Tensor:
        """``[N, C, H, W] -> [N, C, H, W]``."""
        a = self.conv1(u)
        pooled = F.max_pool2d(self.conv2(a), kernel_size=7, stride=3)
        small = self.conv3(pooled)
        stretched = F.interpolate(small, size=u.shape[-2:], mode="bilinear", align_corners=False)
        return u * torch.sigmoid(self.conv4(stretched + self.conv_f(a)))
