"""SMFAN, the self-modulation feature aggregation network (team 24)."""

from collections import OrderedDict

import torch.nn.functional as F
from torch import Tensor, nn

from ..blocks import (
    check_picture,
    conv1x1,
    conv3x3,
    depthwise,
    partial_conv,
    pixel_shuffle_upsampler,
    shrink,
)
from ..network import Network, Shapes, Upscaler
from ..shapes import blocks, scale_and_channels, vote

FACTOR = 8


class SMFAN(Upscaler):
    """Self-Modulation Feature Aggregation Network.

    ``F0 = to_feat(x)``, then ``blocks`` times ``s = smfa(n(F)) + F``, ``F = pcfn(n(s)) + s``, where
    n gives the channels of each pixel length 1; the output is the pixel shuffle of a last 3x3
    convolution of ``F + F0``.

    The challenge's network is ``SMFAN()``: 84 408 parameters.

    Args:
        width: Channels of the backbone.
        detail: Channels inside the branch of details.
        hidden: Channels inside the feed-forward.
        partial: Channels that the feed-forward convolves.

    Source: Zheng et al., "SMFANet: A Lightweight Self-Modulation Feature Aggregation Network for
    Efficient Image Super-Resolution", 2024; NTIRE 2024 efficient SR report, section 4.6.
    """

    name = "smfan"
    min_size = FACTOR  # the shrunk map has at least one pixel

    def __init__(
        self,
        width: int = 24,
        *,
        detail: int = 48,
        hidden: int = 36,
        partial: int = 9,
        blocks: int = 8,
        scale: int = 4,
    ):
        super().__init__(scale=scale, in_channels=3, out_channels=3)
        self.to_feat = conv3x3(3, width, bias=False)
        self.feats = nn.Sequential(
            *(SMFANBlock(width, detail, hidden, partial) for _ in range(blocks))
        )
        self.to_img = pixel_shuffle_upsampler(width, 3, scale, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, 3, H, W]`` in [0, 1] to ``[N, 3, scale*H, scale*W]``, not clamped.

        Raises:
            ValueError: H or W is below 8, or the rank or channel count is wrong.
        """
        x = check_picture(x, self.in_channels, self.min_size)
        first = self.to_feat(x)
        return self.to_img(self.feats(first) + first)


class SMFANBlock(nn.Module):
    """Block of SMFAN: ``s = smfa(n(t)) + t``, then ``pcfn(n(s)) + s``.

    ``n(t) = t / max(|t|, 1e-12)`` for the channels of each pixel.
    """

    def __init__(self, width: int, detail: int, hidden: int, partial: int):
        super().__init__()
        self.smfa = SMFA(width, detail)
        self.pcfn = PCFN(width, hidden, partial)

    def forward(self, t: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        s = self.smfa(F.normalize(t, dim=1)) + t
        return self.pcfn(F.normalize(s, dim=1)) + s


class SMFA(nn.Module):
    """Self-modulation feature aggregation: ``linear_2(v * g + lde(y))``.

    y, v are the halves of ``linear_0(u)``. The gate g is
    ``gelu(linear_1(dw_conv(shrink(v)) + var(v)))``, brought back to H x W by nearest neighbour: v
    is shrunk by 8, and var is the unbiased variance of each channel over the picture. lde, the
    branch of details, is a 3x3 convolution of each channel to ``detail / C`` of them, 1x1, GELU and
    1x1."""

    def __init__(self, channels: int, detail: int):
        super().__init__()
        self.linear_0 = conv1x1(channels, 2 * channels)
        self.linear_1 = conv1x1(channels, channels)
        self.linear_2 = conv1x1(channels, channels)
        self.lde = _local_details(channels, detail)
        self.dw_conv = depthwise(channels)

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        y, v = self.linear_0(u).chunk(2, dim=1)
        variance = v.var((2, 3), keepdim=True)
        small = F.gelu(self.linear_1(self.dw_conv(shrink(v, FACTOR)) + variance))
        gate = F.interpolate(small, size=u.shape[-2:], mode="nearest")
        return self.linear_2(v * gate + self.lde(y))


def _local_details(channels: int, detail: int) -> nn.Sequential:
    expand = nn.Sequential(
        conv3x3(channels, detail, groups=channels), conv1x1(detail, detail), nn.GELU()
    )
    return nn.Sequential(OrderedDict(conv_0=expand, conv_1=conv1x1(detail, channels)))


class PCFN(nn.Module):
    """Partial convolution feed-forward: ``conv_2(h')``.

    ``h = gelu(conv_0(u))``, and in h' the first ``partial`` channels of h are ``gelu(conv_1(.))``
    of themselves; conv_0, conv_2 are 1x1, conv_1 is 3x3.
    """

    def __init__(self, channels: int, hidden: int, partial: int):
        super().__init__()
        self.conv_0 = conv1x1(channels, hidden)
        self.conv_1 = conv3x3(partial, partial)
        self.conv_2 = conv1x1(hidden, channels)

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        return self.conv_2(partial_conv(F.gelu(self.conv_0(u)), self.conv_1, F.gelu))


def _detect(shapes: Shapes) -> dict | None:
    sizes = {
        "width": vote(shapes, r"feats\.\d+\.smfa\.linear_2\.weight", 0),
        "detail": vote(shapes, r"feats\.\d+\.smfa\.lde\.conv_1\.weight", 1),
        "hidden": vote(shapes, r"feats\.\d+\.pcfn\.conv_0\.weight", 0),
        "partial": vote(shapes, r"feats\.\d+\.pcfn\.conv_1\.weight", 0),
    }
    if None in sizes.values():
        return None
    scale, _ = scale_and_channels(shapes, "to_img.0.weight", 3)
    return sizes | {"blocks": blocks(shapes, r"feats\.(\d+)\.") + 1, "scale": scale}


NETWORK = Network(
    name="smfan",
    title="Self-Modulation Feature Aggregation Network",
    paper='Zheng et al., "SMFANet: A Lightweight Self-Modulation Feature Aggregation Network for '
    'Efficient Image Super-Resolution", 2024',
    build=SMFAN,
    detect=_detect,
)
