"""Backbone of AGDN and its relatives, which fuses the concatenated outputs of its blocks."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..blocks import check_picture, conv1x1, conv3x3, pixel_shuffle_upsampler, register_mean
from ..network import Upscaler


class DenseFeatureFusion(Upscaler):
    """Backbone that fuses the outputs of all its blocks.

    ``F0 = fea_conv(enter(x))`` goes through the blocks one after the other,
    ``L = c2(gelu(c1(cat(F1, F2, ...)))) + F0``, and the output is ``upsampler(L)``, with ``mean``
    added to it if ``centred``. fea_conv is a 3x3 convolution, c1 1x1, c2 the identity, upsampler a
    3x3 convolution and the pixel shuffle. A network whose layers differ replaces these modules, or
    overrides ``enter``.

    Args:
        width: Channels of the backbone.
        parts: The blocks in their order; each maps ``width`` channels to as many.
        scale: The upscaling factor.
        centred: Work on ``x - mean``, the picture without its mean colour.

    Source: Li et al., "Blueprint Separable Residual Network for Efficient Image Super-Resolution",
    2022, the multi-layer feature fusion; the names are those of their code.
    """

    mean: Tensor

    def __init__(self, width: int, parts: Sequence[nn.Module], *, scale: int, centred: bool = True):
        super().__init__(scale=scale, in_channels=3, out_channels=3)
        self.blocks = len(parts)
        self.centred = centred
        if centred:
            register_mean(self)
        self.fea_conv = conv3x3(3, width)
        for i, part in enumerate(parts, 1):
            self.add_module(f"B{i}", part)
        self.c1 = conv1x1(self.blocks * width, width)
        self.c2: nn.Module = nn.Identity()
        self.upsampler: nn.Module = pixel_shuffle_upsampler(width, 3, scale)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, 3, H, W]`` in [0, 1] to ``[N, 3, scale*H, scale*W]``, not clamped.

        Raises:
            ValueError: H or W is below ``min_size``, or the rank or channel count is wrong.
        """
        x = check_picture(x, self.in_channels, self.min_size)
        first = self.fea_conv(self.enter(x))
        features = [first]
        for i in range(1, self.blocks + 1):
            features.append(getattr(self, f"B{i}")(features[-1]))
        joined = F.gelu(self.c1(torch.cat(features[1:], 1)))
        upscaled = self.upsampler(self.c2(joined) + first)
        return upscaled + self.mean if self.centred else upscaled

    def enter(self, x: Tensor) -> Tensor:
        """Prepare the picture for fea_conv: ``x - mean`` if centred."""
        return x - self.mean if self.centred else x
