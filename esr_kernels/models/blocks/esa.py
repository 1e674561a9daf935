"""ESA: enhanced spatial attention, computed on a pooled map, in the three forms that are in use."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .convolution import conv1x1, conv3x3

ESA_MIN_SIZE = 15  # the stride-2 convolution leaves (15 - 3) // 2 + 1 = 7 rows for the 7x7 pooling


class ESA(nn.Module):
    """Enhanced spatial attention: ``u * sigmoid(conv4(up(small(pool(conv2(a)))) + side(a)))``.

    ``a = conv1(u)`` has ``hidden`` channels; conv1, conv4 are 1x1; conv2 is 3x3 with stride 2 and
    no padding, the max-pool 7x7 with stride 3; ``small`` is the 3x3 convolution conv3, ``side`` the
    1x1 convolution conv_f, or a itself with ``side=False``; ``up`` is bilinear to u's own size
    (half-pixel centres). There is no activation but the sigmoid. The pooled map leaves out border
    rows and is stretched over the whole picture nevertheless; the weights were trained with that.

    Height and width are at least 15 (``ESA_MIN_SIZE``); networks check it at their input.

    Source: Liu et al., "Residual Feature Distillation Network for Lightweight Image
    Super-Resolution", 2020; in this form in RLFN (Kong et al., 2022), without conv_f in the NTIRE
    2024 efficient SR report's R2Net, SlimRLFN and EERN.
    """

    def __init__(self, channels: int, hidden: int = 16, *, side: bool = True, bias: bool = True):
        super().__init__()
        self.conv1 = conv1x1(channels, hidden, bias=bias)
        if side:
            self.conv_f = conv1x1(hidden, hidden, bias=bias)
        self.conv2 = nn.Conv2d(hidden, hidden, 3, stride=2, bias=bias)
        self.conv3 = conv3x3(hidden, hidden, bias=bias)
        self.conv4 = conv1x1(hidden, channels, bias=bias)
        self.side = side

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to ``[N, C, H, W]``."""
        a = self.conv1(u)
        small = self.small(F.max_pool2d(self.conv2(a), kernel_size=7, stride=3))
        stretched = F.interpolate(small, size=u.shape[-2:], mode="bilinear", align_corners=False)
        side = self.conv_f(a) if self.side else a
        return u * torch.sigmoid(self.conv4(stretched + side))

    def small(self, pooled: Tensor) -> Tensor:
        """Map the pooled map ``[N, hidden, h, w]`` to the same shape."""
        return self.conv3(pooled)


class DeepESA(ESA):
    """ESA with three convolutions on the pooled map: ``conv3_(relu(conv3(relu(conv_max(z)))))``.

    Source: Liu et al., 2020 (RFDN), its original form.
    """

    def __init__(self, channels: int, hidden: int):
        super().__init__(channels, hidden)
        self.conv_max = conv3x3(hidden, hidden)
        self.conv3_ = conv3x3(hidden, hidden)

    def small(self, pooled: Tensor) -> Tensor:
        """Map the pooled map ``[N, hidden, h, w]`` to the same shape."""
        return self.conv3_(F.relu(self.conv3(F.relu(self.conv_max(pooled)))))
