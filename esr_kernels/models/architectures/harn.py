"""HARN, the hierarchical attention residual network (team 41)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..blocks import (
    ContrastResidual,
    Distillation,
    GatedWindowAttention,
    HierarchicalConv,
    Residual,
    VarianceAttention,
    check_picture,
    conv1x1,
    conv3x3,
    depthwise,
    mirrored_bsconv,
    pixel_shuffle_upsampler,
    register_mean,
    same_padding,
)
from ..network import Network, Shapes, Upscaler
from ..reparam import named
from ..shapes import blocks, scale_and_channels, vote


class HARN(Upscaler):
    """Hierarchical Attention Residual Network.

    ``F0 = conv_shallow(x - mean)``, then the blocks one after the other; the output is ``mean``
    added to the pixel shuffle of a last 3x3 convolution of ``before(c(cat(F1, F2, ...))) + F0``,
    with a 1x1 convolution c and ``before`` HierarchicalMix. All blocks but the last attend in
    windows, every second one in shifted windows; the last has spatial attention.

    The challenge's network is ``HARN()``: 59 577 parameters.

    Args:
        width: Channels of the backbone, half of them distilled.
        hidden: Channels inside the spatial attention.
        attention_hidden: Channels inside the contrast attention.

    Source: NTIRE 2024 efficient SR report, section 4.4.
    """

    name = "harn"
    mean: Tensor
    min_size = 15  # the 5x5 pooling of half of it leaves two pixels to mirror

    def __init__(
        self,
        width: int = 20,
        *,
        hidden: int = 5,
        attention_hidden: int = 1,
        blocks: int = 4,
        scale: int = 4,
    ):
        super().__init__(scale=scale, in_channels=3, out_channels=3)
        register_mean(self)
        self.conv_shallow = conv3x3(3, width)
        attentions = [_hierarchical(width, shifted=i % 2 == 1) for i in range(blocks - 1)]
        attentions.append(VarianceAttention(width, hidden, mirrored_bsconv))
        self.bsc_layer = nn.ModuleList(
            HARNBlock(width, attention, attention_hidden) for attention in attentions
        )
        self.c = conv1x1(blocks * width, width)
        self.conv_before_upsample = nn.Sequential(HierarchicalMix(width))
        self.upsample = nn.Sequential(pixel_shuffle_upsampler(width, 3, scale))
        same_padding(self.upsample[0][0])  # type: ignore[index]

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, 3, H, W]`` in [0, 1] to ``[N, 3, scale*H, scale*W]``, not clamped.

        Raises:
            ValueError: H or W is below 15, or the rank or channel count is wrong.
        """
        x = check_picture(x, self.in_channels, self.min_size)
        first = self.conv_shallow(x - self.mean)
        features = [first]
        for block in self.bsc_layer:
            features.append(block(features[-1]))
        joined = self.c(torch.cat(features[1:], 1))
        return self.upsample(self.conv_before_upsample(joined) + first) + self.mean


class HARNBlock(Distillation):
    """Distillation with hierarchical convolutions and attention: ``cca(esa(distilled(u))) + u``.

    ``distilled`` is ``Distillation``, whose last convolution is blueprint-separable;
    ``esa(o) = dw(attention(gelu(o))) + o``, depthwise 3x3; cca is contrast attention.

    Source: NTIRE 2024 efficient SR report, section 4.4.
    """

    def __init__(self, width: int, attention: nn.Module, attention_hidden: int):
        super().__init__(
            width,
            refine=[HSRB(width) for _ in range(3)],
            last=mirrored_bsconv(width, width // 2),
            act=F.gelu,
        )
        self.esa = Residual(nn.GELU(), attention, same_padding(depthwise(width)))
        self.cca = ContrastResidual(width, attention_hidden)

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, width, H, W]`` to the same shape."""
        return self.cca(self.esa(super().forward(u))) + u


class HSRB(HierarchicalConv):
    """Hierarchical separable residual block: ``gelu(hierarchical(conv1(u)) + u)``, conv1 1x1.

    Source: NTIRE 2024 efficient SR report, section 4.4.
    """

    def __init__(self, channels: int):
        super().__init__(channels, F.gelu)
        self.conv1 = conv1x1(channels, channels)

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        return F.gelu(super().forward(self.conv1(u)) + u)


class HierarchicalMix(HierarchicalConv):
    """Hierarchical convolutions without activations between the groups.

    ``conv1x1_2(gelu(hierarchical(conv1(u))))``.
    """

    def __init__(self, channels: int):
        super().__init__(channels, nn.Identity())
        self.conv1 = conv1x1(channels, channels)
        self.conv1x1_2 = conv1x1(channels, channels)

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        return self.conv1x1_2(F.gelu(super().forward(self.conv1(u))))


def _hierarchical(width: int, *, shifted: bool) -> nn.Module:
    return named("swin_body", nn.Sequential(GatedWindowAttention(width, shifted=shifted)))


def _detect(shapes: Shapes) -> dict | None:
    width = vote(shapes, r"bsc_layer\.\d+\.c\d_r\.conv1\.weight", 0)
    hidden = vote(shapes, r"bsc_layer\.\d+\.esa\.body\.1\.conv2_\d\.pw\.weight", 0)
    if width is None or hidden is None:
        return None
    scale, _ = scale_and_channels(shapes, "upsample.0.0.weight", 3)
    return {
        "width": width,
        "hidden": hidden,
        "attention_hidden": vote(shapes, r"bsc_layer\.\d+\.cca\.body\.2\.conv_du\.0\.weight", 0)
        or 1,
        "blocks": blocks(shapes, r"bsc_layer\.(\d+)\.") + 1,
        "scale": scale,
    }


NETWORK = Network(
    name="harn",
    title="Hierarchical Attention Residual Network",
    paper="NTIRE 2024 efficient SR challenge report, team 41, section 4.4",
    build=HARN,
    detect=_detect,
)
