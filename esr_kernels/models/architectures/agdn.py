"""AGDN, the attention guidance distillation network (team 31)."""

import torch.nn.functional as F
from torch import Tensor, nn

from ..backbones.dense_feature_fusion import DenseFeatureFusion
from ..blocks import (
    ChannelLayerNorm,
    ContrastAttention,
    Distillation,
    ElementScale,
    GatedFFN,
    Level,
    Residual,
    VarianceAttention,
    WindowedChannelAttention,
    conv1x1,
    conv3x3,
    depthwise,
    mirrored_bsconv,
)
from ..network import Network, Shapes
from ..reparam import named
from ..shapes import blocks, scale_and_channels, vote

EPS = 1e-5
WINDOW = 96
TWO_LEVELS = (Level(1, 5, 1, variance=4), Level(2, 7, 1, variance=3))


class AGDN(DenseFeatureFusion):
    """Attention Guidance Distillation Network.

    ``F0 = fea_conv(x - mean)``, then ``blocks`` times AGDB, ``L = c2(gelu(c1(cat(F1, F2, ...)))) +
    F0`` with c1 1x1 and c2 blueprint-separable; the output is ``mean`` added to the pixel shuffle
    of a last 3x3 convolution of L.

    The challenge's network is ``AGDN()``: 69 272 parameters.

    Args:
        width: Channels of the backbone, half of them distilled.
        hidden: Channels inside the spatial attention.
        attention_hidden: Channels inside the contrast attention.
        heads: Heads of the attention between channels.
        ffn_hidden: Channels inside the feed-forward.

    Source: NTIRE 2024 efficient SR report, section 4.5.
    """

    name = "agdn"
    min_size = 15  # the 7x7 pooling of half of it leaves two pixels to mirror

    def __init__(
        self,
        width: int = 24,
        *,
        hidden: int = 6,
        attention_hidden: int = 4,
        heads: int = 3,
        ffn_hidden: int = 48,
        blocks: int = 4,
        scale: int = 4,
    ):
        sizes = (width, hidden, attention_hidden, heads, ffn_hidden)
        super().__init__(width, [AGDB(*sizes) for _ in range(blocks)], scale=scale)
        self.c2 = mirrored_bsconv(width, width)


class AGDB(Distillation):
    """Attention guidance distillation block: ``ea(cca(esa(distilled(u)))) + u``.

    ``distilled`` is ``Distillation``: its three layers are blueprint-separable, its last has groups
    of two channels. esa is spatial attention added to its input.

    Source: NTIRE 2024 efficient SR report, section 4.5.
    """

    def __init__(self, width: int, hidden: int, attention_hidden: int, heads: int, ffn_hidden: int):
        super().__init__(
            width,
            refine=[mirrored_bsconv(width, width) for _ in range(3)],
            last=conv3x3(width, width // 2, groups=width // 2),
            act=F.gelu,
        )
        self.esa = Residual(VarianceAttention(width, hidden, mirrored_bsconv, TWO_LEVELS))
        self.cca = RCCA(width, attention_hidden)
        self.ea = SGSA(width, heads, ffn_hidden)

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, width, H, W]`` to the same shape."""
        return self.ea(self.cca(self.esa(super().forward(u)))) + u


class RCCA(nn.Module):
    """Reallocated contrast-aware attention: ``sigma(v - gelu(decompose(v))) + cca(v) + u``.

    ``v = gelu(dwconv(u))`` and dwconv is depthwise 3x3; decompose is 1x1 to one channel, taken from
    all of them; sigma has a learned factor for each channel; cca is contrast attention.

    Source: NTIRE 2024 efficient SR report, section 4.5.
    """

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.dwconv = depthwise(channels)
        self.decompose = conv1x1(channels, 1)
        self.sigma = ElementScale(channels)
        self.cca = ContrastAttention(channels, hidden, nn.ReLU())

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        v = F.gelu(self.dwconv(u))
        return self.sigma(v - F.gelu(self.decompose(v))) + self.cca(v) + u


class SGSA(nn.Module):
    """Sparse global self-attention: ``r = attn(norm3(u)) + u``, then ``ffn(norm4(r)) + r``.

    attn is attention between channels in windows of 96 x 96 pixels, ffn a gated feed-forward.

    Source: NTIRE 2024 efficient SR report, section 4.5.
    """

    def __init__(self, channels: int, heads: int, hidden: int):
        super().__init__()
        self.norm3 = named("body", ChannelLayerNorm(channels, EPS))
        self.restormer_attn = WindowedChannelAttention(channels, heads, WINDOW)
        self.norm4 = named("body", ChannelLayerNorm(channels, EPS))
        self.restormer_ffn = GatedFFN(channels, hidden, F.gelu)

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        r = self.restormer_attn(self.norm3(u)) + u
        return self.restormer_ffn(self.norm4(r)) + r


def _detect(shapes: Shapes) -> dict | None:
    width = vote(shapes, r"B\d+\.ea\.restormer_attn\.project_out\.weight", 0)
    heads = vote(shapes, r"B\d+\.ea\.restormer_attn\.temperature", 0)
    if width is None or heads is None:
        return None
    scale, _ = scale_and_channels(shapes, "upsampler.0.weight", 3)
    return {
        "width": width,
        "hidden": vote(shapes, r"B\d+\.esa\.body\.0\.conv2_\d\.pw\.weight", 0) or 6,
        "attention_hidden": vote(shapes, r"B\d+\.cca\.cca\.conv_du\.0\.weight", 0) or 4,
        "heads": heads,
        "ffn_hidden": vote(shapes, r"B\d+\.ea\.restormer_ffn\.project_out\.weight", 1) or 48,
        "blocks": blocks(shapes, r"B(\d+)\."),
        "scale": scale,
    }


NETWORK = Network(
    name="agdn",
    title="Attention Guidance Distillation Network",
    paper="NTIRE 2024 efficient SR challenge report, team 31, section 4.5",
    build=AGDN,
    detect=_detect,
)
