"""Layers with their input added to what they give."""

from torch import Tensor, nn

from .channel_attention import ContrastAttention
from .convolution import conv1x1, depthwise, same_padding


class Residual(nn.Module):
    """``body(u) + u``, where body is the ``layers`` one after the other."""

    def __init__(self, *layers: nn.Module):
        super().__init__()
        self.body = nn.Sequential(*layers)

    def forward(self, u: Tensor) -> Tensor:
        """``[N, C, H, W]`` to the same."""
        return self.body(u) + u


class ContrastResidual(Residual):
    """``dw(attention(gelu(pw(u)))) + u``: contrast attention between a 1x1 and a depthwise 3x3
    convolution, ``hidden`` channels inside it.

    Source: Li et al., "Blueprint Separable Residual Network for Efficient Image Super-Resolution",
    2022, the contrast attention; in this form in MSN and HARN of the NTIRE 2024 efficient SR
    challenge.
    """

    def __init__(self, channels: int, hidden: int):
        super().__init__(
            same_padding(conv1x1(channels, channels)),
            nn.GELU(),
            ContrastAttention(channels, hidden, nn.ReLU()),
            same_padding(depthwise(channels)),
        )
