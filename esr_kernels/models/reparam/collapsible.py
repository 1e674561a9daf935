"""Collapsible convolution, trained as two through many channels (SMRN, and R2Net's 1x1)."""

import torch
from torch import Tensor, nn

from ..blocks.convolution import conv1x1
from .form import TrainingForm
from .kernel import Kernel, chain


class CollapsibleConv(TrainingForm):
    """Training form ``collapse(expand(x))``: ``kernel x kernel``, zero-padded, then 1x1.

    It equals one convolution, at the borders too. ``kernel=1`` with ``bias=False`` is the
    expand-squeeze pair that R2Net trains its 1x1 convolutions as.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the result.
        hidden: Channels between the two convolutions.
        kernel: The size of the first convolution.
        bias: Give both convolutions a bias.

    Source: Bhardwaj et al., "Collapsible Linear Blocks for Super-Efficient Super Resolution", 2022,
    without the skip; NTIRE 2024 efficient SR report, teams 10 and 29. The training code is not
    published: the names are ours.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        hidden: int = 256,
        *,
        kernel: int = 3,
        bias: bool = True,
    ):
        super().__init__()
        self.expand = nn.Conv2d(in_channels, hidden, kernel, padding=kernel // 2, bias=bias)
        self.collapse = conv1x1(hidden, out_channels, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, Ci, H, W]`` to ``[N, Co, H, W]``."""
        return self.collapse(self.expand(x))

    def merge(self, dtype: torch.dtype = torch.float64) -> Kernel:
        """Compute ``W[o, i] = sum over m of W1[o, m] W3[m, i]``, ``b = b1 + W1 b3``."""
        return chain(Kernel.of(self.expand, dtype), Kernel.of(self.collapse, dtype))
