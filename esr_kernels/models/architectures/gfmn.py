"""GFMN, the gated feature modulation network (team 22)."""

import torch.nn.functional as F
from torch import Tensor, nn

from ..blocks import (
    SAFM,
    SAFM_MIN_SIZE,
    ChannelLayerNorm,
    ElementScale,
    GatedFFN,
    bilinear,
    check_picture,
    conv1x1,
    conv3x3,
    pixel_shuffle_upsampler,
    register_mean,
)
from ..network import Network, Shapes, Upscaler
from ..shapes import blocks, scale_and_channels, vote

EPS = 1e-6


class GFMN(Upscaler):
    """Gated Feature Modulation Network.

    ``F = to_feat(x - mean)``, then ``blocks`` times ``s = safm(norm1(F)) + F``, ``F = ffd(norm2(s))
    + s``, with norms over the channels of a pixel; the output is the pixel shuffle of a last 3x3
    convolution of F, added to ``mean`` and to the bilinearly upscaled x.

    The challenge's network is ``GFMN()``: 88 408 parameters.

    Args:
        width: Channels of the backbone.
        hidden: Channels of the feed-forward after its gate.

    Source: NTIRE 2024 efficient SR challenge, team 22; the report has its figures only. After Sun
    et al., "Spatially-Adaptive Feature Modulation for Efficient Image Super-Resolution", 2023, and
    Li et al., "MogaNet: Multi-order Gated Aggregation Network", 2024.
    """

    name = "gfmn"
    mean: Tensor
    min_size = SAFM_MIN_SIZE

    def __init__(self, width: int = 32, *, hidden: int = 57, blocks: int = 8, scale: int = 4):
        super().__init__(scale=scale, in_channels=3, out_channels=3)
        register_mean(self)
        self.to_feat = conv3x3(3, width)
        self.feats = nn.Sequential(*(GFMNBlock(width, hidden) for _ in range(blocks)))
        self.to_img = pixel_shuffle_upsampler(width, 3, scale)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, 3, H, W]`` in [0, 1] to ``[N, 3, scale*H, scale*W]``, not clamped.

        Raises:
            ValueError: H or W is below 16, or the rank or channel count is wrong.
        """
        x = check_picture(x, self.in_channels, self.min_size)
        features = self.feats(self.to_feat(x - self.mean))
        return self.to_img(features) + self.mean + bilinear(x, self.scale)


class GFMNBlock(nn.Module):
    """Gated feature modulation block: ``s = safm(norm1(t)) + t``, then ``ffd(norm2(s)) + s``."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.norm1 = ChannelLayerNorm(width, EPS)
        self.safm = ContrastSAFM(width)
        self.norm2 = ChannelLayerNorm(width, EPS)
        self.ffd = AggregationFFN(width, hidden)

    def forward(self, t: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        s = self.safm(self.norm1(t)) + t
        return self.ffd(self.norm2(s)) + s


class ContrastSAFM(SAFM):
    """SAFM of a map with stressed contrast, ``gelu(q + sigma(q - mean(q)))``.

    ``q = proj_1(u)``, 1x1; the mean is that of each channel over the picture, sigma a factor for
    each channel.
    """

    def __init__(self, channels: int):
        super().__init__(channels)
        self.proj_1 = conv1x1(channels, channels)
        self.sigma = ElementScale(channels)

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        q = self.proj_1(u)
        contrast = q - F.adaptive_avg_pool2d(q, 1)
        return super().forward(F.gelu(q + self.sigma(contrast)))


class AggregationFFN(GatedFFN):
    """Gated feed-forward without activation that stresses the differences between channels.

    ``z + sigma(z - gelu(decompose(z)))`` stands in place of the gated z; decompose is 1x1 to one
    channel, sigma a factor for each channel.
    """

    def __init__(self, channels: int, hidden: int):
        super().__init__(channels, hidden, nn.Identity())
        self.decompose = conv1x1(hidden, 1)
        self.sigma = ElementScale(hidden)

    def gated(self, x: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to ``[N, hidden, H, W]``."""
        z = super().gated(x)
        return z + self.sigma(z - F.gelu(self.decompose(z)))


def _detect(shapes: Shapes) -> dict | None:
    width = vote(shapes, r"feats\.\d+\.safm\.proj_1\.weight", 0)
    hidden = vote(shapes, r"feats\.\d+\.ffd\.project_out\.weight", 1)
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
    name="gfmn",
    title="Gated Feature Modulation Network",
    paper="NTIRE 2024 efficient SR challenge report, team 22",
    build=GFMN,
    detect=_detect,
)
