"""A 3x3 convolution trained as three branches (the upsampler of LKFN)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..blocks.convolution import conv1x1, conv3x3
from .form import TrainingForm
from .kernel import Kernel, chain, total


class ParallelConv3x3(TrainingForm):
    """Training form ``conv1(x) + conv3(x) + squeeze(expand(pad(x)))``, which equals one 3x3.

    conv1 and ``expand`` (to ``2 * in_channels``) are 1x1, conv3 is 3x3 with zero padding,
    ``squeeze`` an unpadded 3x3. x is zero-padded before ``expand``, whose bias so fills the ring:
    the whole is exact at the borders too.

    Source: NTIRE 2024 efficient SR report, team 03, whose code can train the convolution of the
    upsampler in this form. The names are ours.
    """

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.conv1 = conv1x1(in_channels, out_channels)
        self.conv3 = conv3x3(in_channels, out_channels)
        self.expand = conv1x1(in_channels, 2 * in_channels)
        self.squeeze = nn.Conv2d(2 * in_channels, out_channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, Ci, H, W]`` to ``[N, Co, H, W]``."""
        return self.conv1(x) + self.conv3(x) + self.squeeze(self.expand(F.pad(x, (1, 1, 1, 1))))

    def merge(self, dtype: torch.dtype = torch.float64) -> Kernel:
        """Compute ``W = W3 + W1 E + Q P``, ``b = b1 + b3 + bq + (sum of Q's taps) bp``.

        E is the centre tap, P and Q are the kernels of ``expand`` and ``squeeze``.
        """
        layers = (self.conv1, self.conv3, self.expand, self.squeeze)
        one, three, expand, squeeze = (Kernel.of(layer, dtype) for layer in layers)
        return total(one, three, chain(expand, squeeze))
