"""MSN, a distillation network of separable convolutions (team 28)."""

from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from ..blocks import (
    ChannelLayerNorm,
    ContrastResidual,
    Distillation,
    Residual,
    VarianceAttention,
    check_picture,
    conv1x1,
    conv3x3,
    depthwise,
    pixel_shuffle_upsampler,
    register_mean,
    same_padding,
)
from ..network import Network, Shapes, Upscaler
from ..reparam import named
from ..shapes import blocks, scale_and_channels, vote

EPS = 1e-6


class MSN(Upscaler):
    """MSN: distillation, multi-level spatial attention and contrast attention in every block.

    ``F0 = fea_conv(x - mean)``, then ``blocks`` times MSNBlock, ``L = c2(gelu(c1(F1 + F2 + ...))) +
    F0`` with c1 1x1 and c2 separable; the output is ``mean`` added to the pixel shuffle of a last
    3x3 convolution of L.

    ``width``: channels of the trunk, half of them distilled; ``hidden``: channels inside the
    spatial attention; ``attention_hidden``: inside the contrast attention. The challenge's network
    is ``MSN()``: 87 612 parameters.

    Source: NTIRE 2024 efficient SR report, team 28 (in its tables only).
    """

    name = "msn"
    B1: "MSNBlock"
    min_size = 29  # the 5x5 pooling of a quarter of it leaves two pixels to mirror

    def __init__(
        self,
        width: int = 28,
        *,
        hidden: int = 7,
        attention_hidden: int = 1,
        blocks: int = 8,
        scale: int = 4,
    ):
        super().__init__(scale=scale, in_channels=3, out_channels=3)
        register_mean(self)
        self.blocks = blocks
        self.fea_conv = same_padding(conv3x3(3, width))
        for i in range(1, blocks + 1):
            self.add_module(f"B{i}", MSNBlock(width, hidden, attention_hidden))
        self.c1 = conv1x1(width, width)
        self.c2 = SeparableConv(width, width)
        self.upsampler = named("upsampleOneStep", pixel_shuffle_upsampler(width, 3, scale))

    def forward(self, x: Tensor) -> Tensor:
        """``[N, 3, H, W]`` in [0, 1] -> ``[N, 3, scale*H, scale*W]``, not clamped.

        Raises ``ValueError`` for H or W below 29 and for a wrong rank or channel count.
        """
        x = check_picture(x, self.in_channels, self.min_size)
        first = self.fea_conv(x - self.mean)
        features = self.B1(first)
        total = features
        for i in range(2, self.blocks + 1):
            features = getattr(self, f"B{i}")(features)
            total = total + features
        return self.upsampler(self.c2(F.gelu(self.c1(total))) + first) + self.mean


class MSNBlock(Distillation):
    """``cca(esa(trunk(u))) + u``: distillation with separable convolutions, spatial attention added
    to what it attends to, and contrast attention likewise."""

    def __init__(self, width: int, hidden: int, attention_hidden: int):
        super().__init__(
            width,
            refine=[SeparableConv(width, width) for _ in range(3)],
            last=SeparableConv(width, width // 2),
            act=F.gelu,
        )
        self.esa = Residual(NormedAttention(width, hidden))
        self.cca = ContrastResidual(width, attention_hidden)

    def forward(self, u: Tensor) -> Tensor:
        """``[N, width, H, W]`` to the same."""
        return self.cca(self.esa(super().forward(u))) + u


class NormedAttention(VarianceAttention):
    """Multi-level spatial attention of ``ln(u)``, which is also what it multiplies."""

    def __init__(self, channels: int, hidden: int):
        super().__init__(channels, hidden, SeparableConv)
        self.ln = ChannelLayerNorm(channels, EPS)

    def forward(self, u: Tensor) -> Tensor:
        """``[N, C, H, W]`` to the same."""
        return super().forward(self.ln(u))


class SeparableConv(nn.Module):
    """``dw2(dw1(pw(x)))``: 1x1 without bias, then depthwise 3x1 and 1x3 with it, mirrored at the
    borders.

    ``stride`` is that of both depthwise convolutions in both directions: stride 2 leaves every
    fourth row and column.
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1):
        super().__init__()
        mirrored = partial(depthwise, out_channels, stride=stride, padding_mode="reflect")
        self.pw = conv1x1(in_channels, out_channels, bias=False)
        self.dw1 = mirrored((3, 1))
        self.dw2 = mirrored((1, 3))

    def forward(self, x: Tensor) -> Tensor:
        """``[N, Ci, H, W] -> [N, Co, H, W]``; with stride s, each side divided by s twice, rounded
        up."""
        return self.dw2(self.dw1(self.pw(x)))


def _detect(shapes: Shapes) -> dict | None:
    width = vote(shapes, r"B\d+\.c\d_r\.dw\d\.(weight|bias)", 0)
    hidden = vote(shapes, r"B\d+\.esa\.body\.0\.conv2_\d\.pw\.weight", 0)
    if width is None or hidden is None:
        return None
    scale, _ = scale_and_channels(shapes, "upsampler.upsampleOneStep.0.weight", 3)
    return {
        "width": width,
        "hidden": hidden,
        "attention_hidden": vote(shapes, r"B\d+\.cca\.body\.2\.conv_du\.0\.weight", 0) or 1,
        "blocks": blocks(shapes, r"B(\d+)\."),
        "scale": scale,
    }


NETWORK = Network(
    name="msn",
    title="MSN",
    paper="NTIRE 2024 efficient SR challenge report, team 28",
    build=MSN,
    detect=_detect,
)
