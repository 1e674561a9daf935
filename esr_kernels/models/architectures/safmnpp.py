"""SAFMN++, spatially adaptive feature modulation with one pooled scale (team 23)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..blocks import (
    bilinear,
    check_picture,
    conv1x1,
    conv3x3,
    depthwise,
    pixel_shuffle_upsampler,
    shrink,
)
from ..network import Network, Shapes, Upscaler
from ..shapes import blocks, scale_and_channels, vote

FACTOR = 8


class SAFMNPP(Upscaler):
    """SAFMN++, spatially adaptive feature modulation with one pooled scale.

    ``F = to_feat(x)``, then ``blocks`` times ``F = conv2(conv1(F)) + F``, where conv1 modulates a
    third of the channels and conv2 mixes all; the output is the pixel shuffle of a last 3x3
    convolution of F, added to the bilinearly upscaled x. No convolution has a bias. The challenge's
    network is ``SAFMNPP()``: 211 572 parameters.

    Args:
        width: Channels of the backbone.
        hidden: Channels inside the mixer.

    Source: NTIRE 2024 efficient SR report, section 4.8, after Sun et al., "Spatially-Adaptive
    Feature Modulation for Efficient Image Super-Resolution", 2023.
    """

    name = "safmnpp"
    min_size = FACTOR  # the shrunk map has at least one pixel

    def __init__(self, width: int = 36, *, hidden: int = 54, blocks: int = 6, scale: int = 4):
        super().__init__(scale=scale, in_channels=3, out_channels=3)
        self.to_feat = conv3x3(3, width, bias=False)
        self.feats = nn.Sequential(*(SAFMNPPBlock(width, hidden) for _ in range(blocks)))
        self.to_img = pixel_shuffle_upsampler(width, 3, scale, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, 3, H, W]`` in [0, 1] to ``[N, 3, scale*H, scale*W]``, not clamped.

        Raises:
            ValueError: H or W is below 8, or the rank or channel count is wrong.
        """
        x = check_picture(x, self.in_channels, self.min_size)
        return self.to_img(self.feats(self.to_feat(x))) + bilinear(x, self.scale)


class SAFMNPPBlock(nn.Module):
    """Residual block ``conv2(conv1(t)) + t``."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.conv1 = SimpleSAFM(width)
        self.conv2 = ConvMixer(width, hidden)

    def forward(self, t: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        return self.conv2(self.conv1(t)) + t


class SimpleSAFM(nn.Module):
    """SAFM with one scale, for a third of the channels.

    ``out(gelu(cat(r, gelu(up(dwconv(shrink(a)))) * a)))``: a is the first third of ``proj(t)``,
    3x3, and r the rest; a is shrunk by 8, dwconv is depthwise 3x3, ``up`` is bilinear to a's own
    size, out is 1x1."""

    def __init__(self, width: int):
        super().__init__()
        self.parts = (width // 3, width - width // 3)
        self.proj = conv3x3(width, width, bias=False)
        self.dwconv = depthwise(width // 3, bias=False)
        self.out = conv1x1(width, width, bias=False)

    def forward(self, t: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        a, r = self.proj(t).split(self.parts, dim=1)
        small = self.dwconv(shrink(a, FACTOR))
        gate = F.interpolate(small, size=t.shape[-2:], mode="bilinear", align_corners=False)
        return self.out(F.gelu(torch.cat([r, F.gelu(gate) * a], 1)))


class ConvMixer(nn.Module):
    """Feed-forward ``conv2(gelu(conv1(s)))``, 3x3 to ``hidden`` channels and 1x1 back."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.conv1 = conv3x3(width, hidden, bias=False)
        self.conv2 = conv1x1(hidden, width, bias=False)

    def forward(self, s: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        return self.conv2(F.gelu(self.conv1(s)))


def _detect(shapes: Shapes) -> dict | None:
    width = vote(shapes, r"feats\.\d+\.conv1\.proj\.weight", 0)
    hidden = vote(shapes, r"feats\.\d+\.conv2\.conv1\.weight", 0)
    if width is None or hidden is None:
        return None
    scale, _ = scale_and_channels(shapes, "to_img.0.weight", 3)
    return {
        "width": width,
        "hidden": hidden,
        "blocks": blocks(shapes, r"feats\.(\d+)\.") + 1,
        "scale": scale,
    }


NETWORK = Network(
    name="safmnpp",
    title="SAFMN++, Spatially Adaptive Feature Modulation Network",
    paper="NTIRE 2024 efficient SR challenge report, team 23, section 4.8",
    build=SAFMNPP,
    detect=_detect,
)
