"""What IFADNet and LSANet share: blocks that attend only every second time, joined at the end."""

import re
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import (
    ESA_MIN_SIZE,
    check_picture,
    conv1x1,
    conv3x3,
    mirrored_bsconv,
    pixel_shuffle_upsampler,
    register_mean,
    same_padding,
)
from .network import Shapes, Upscaler
from .reparam import RepBlock, named
from .shapes import blocks, scale_and_channels, vote


class SpacedNetwork(Upscaler):
    """``F0 = fea_conv(x - mean)``, the blocks B1, B2, ... one after the other, ``L = fuse(cat(F1,
    F2, ...)) + F0``; the output is ``mean`` added to the pixel shuffle of a last 3x3 convolution of
    L. A block gives ``width`` channels, as it takes.
    """

    min_size = ESA_MIN_SIZE

    def __init__(self, parts: Sequence[nn.Module], width: int, scale: int, training_form: bool):
        super().__init__(scale=scale, in_channels=3, out_channels=3)
        register_mean(self)
        self.blocks = len(parts)
        self.training_form = training_form
        self.fea_conv = same_padding(conv3x3(3, width))
        for i, block in enumerate(parts, 1):
            self.add_module(f"B{i}", block)
        self.c1 = conv1x1(self.blocks * width, width)
        self.upsampler = named("upsampleOneStep", pixel_shuffle_upsampler(width, 3, scale))

    def fuse(self, joined: Tensor) -> Tensor:
        """``gelu(c1(joined))`` with a 1x1 convolution: ``[N, blocks * width, H, W]`` to
        ``[N, width, H, W]``."""
        return F.gelu(self.c1(joined))

    def forward(self, x: Tensor) -> Tensor:
        """``[N, 3, H, W]`` in [0, 1] -> ``[N, 3, scale*H, scale*W]``, not clamped.

        Raises ``ValueError`` for H or W below 15 and for a wrong rank or channel count.
        """
        x = check_picture(x, self.in_channels, self.min_size)
        first = self.fea_conv(x - self.mean)
        features = [first]
        for i in range(1, self.blocks + 1):
            features.append(getattr(self, f"B{i}")(features[-1]))
        return self.upsampler(self.fuse(torch.cat(features[1:], 1)) + first) + self.mean


class SpacedBlock(nn.Module):
    """``esa(c5(r3)) + u`` where r3 is u after the three ``layers`` c1_r, c2_r, c4, each followed by
    GELU. ``c5``, ``esa``: nothing by default.
    """

    def __init__(
        self,
        layers: Sequence[nn.Module],
        *,
        c5: nn.Module | None = None,
        esa: nn.Module | None = None,
    ):
        super().__init__()
        self.c1_r, self.c2_r, self.c4 = layers
        self.c5 = c5 or nn.Identity()
        self.esa = esa or nn.Identity()

    def forward(self, u: Tensor) -> Tensor:
        """``[N, C, H, W]`` to the same."""
        r = u
        for layer in (self.c1_r, self.c2_r, self.c4):
            r = F.gelu(layer(r))
        return self.esa(self.c5(r)) + u


def separable(width: int) -> nn.Module:
    """A mirrored BSConv under the name of a merged convolution, though nothing was merged."""
    return named(RepBlock.merged_name, mirrored_bsconv(width, width))


def dense(width: int, training_form: bool) -> nn.Module:
    """A 3x3 convolution, or what it is trained as."""
    return RepBlock(width) if training_form else named(RepBlock.merged_name, conv3x3(width, width))


def detect(shapes: Shapes, first_layer: str) -> dict | None:
    """Hyperparameters of the network whose blocks begin with keys that match ``first_layer``."""
    width = vote(shapes, r"B\d+\.c4\.rbr_reparam\.(pw\.)?weight", 0)
    if width is None or not any(re.match(first_layer, key) for key in shapes):
        return None
    scale, _ = scale_and_channels(shapes, "upsampler.upsampleOneStep.0.weight", 3)
    return {
        "width": width,
        "blocks": blocks(shapes, r"B(\d+)\."),
        "esa_hidden": vote(shapes, r"B\d+\.esa\.conv[123]\.weight", 0) or 16,
        "scale": scale,
        "training_form": any(".rbr_3x3_branch." in key for key in shapes),
    }
