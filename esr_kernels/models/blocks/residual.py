"""Layers with a skip connection."""

from torch import Tensor, nn

from .channel_attention import ContrastAttention
from .convolution import conv1x1, depthwise, same_padding


class Residual(nn.Module):
    """Skip connection ``body(u) + u``; body is the ``layers`` one after the other."""

    def __init__(self, *layers: nn.Module):
        super().__init__()
        self.body = nn.Sequential(*layers)

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        return self.body(u) + u


class ContrastResidual(Residual):
    """Contrast attention with a skip: ``dw(attention(gelu(pw(u)))) + u``.

    pw is 1x1, dw depthwise 3x3; the attention has ``hidden`` channels inside.

    Source: Li et al., "Blueprint Separable Residual Network for Efficient Image Super-Resolution",
    2022, the contrast attention; in this form in MSN and HARN of the NTIRE 2024 efficient SR
    challenge."""

    def __init__(self, channels: int, hidden: int):
        super().__init__(
            same_padding(conv1x1(channels, channels)),
            nn.GELU(),
            ContrastAttention(channels, hidden, nn.ReLU()),
            same_padding(depthwise(channels)),
        )
