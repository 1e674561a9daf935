"""EMaxGMan, RLFN with grouped heads in front and two attentions in each block (team 15)."""

import torch.nn.functional as F
from torch import Tensor, nn

from ..blocks import (
    ESA,
    ESA_MIN_SIZE,
    MultiHeadESA,
    SqueezeExcitation,
    check_picture,
    conv1x1,
    conv3x3,
    pixel_shuffle_upsampler,
)
from ..network import Network, Shapes, Upscaler
from ..shapes import blocks, scale_and_channels, vote

SLOPE = 0.05


class EMaxGMan(Upscaler):
    """EMaxGMan: RLFN with multi-head spatial attention in front and two attentions in each block.

    ``F0 = conv_in(x)``, ``t = multi_head(F0)``, then ``blocks`` times ERLFB, ``L = conv_out(t) +
    F0``, and the output is the pixel shuffle of a last 3x3 convolution of L.

    The challenge's network is ``EMaxGMan()``: 346 480 parameters.

    Args:
        width: Channels of the backbone, a multiple of ``2 ** heads`` and of 8.
        esa_hidden: Channels inside the spatial attention.
        se_hidden: Channels inside the channel attention.

    Source: NTIRE 2024 efficient SR report, section 4.25.
    """

    name = "emaxgman"
    min_size = ESA_MIN_SIZE

    def __init__(
        self,
        width: int = 64,
        *,
        heads: int = 4,
        blocks: int = 3,
        esa_hidden: int = 16,
        se_hidden: int = 4,
        scale: int = 4,
    ):
        super().__init__(scale=scale, in_channels=3, out_channels=3)
        self.blocks = blocks
        self.conv_in = conv3x3(3, width)
        self.multi_head = MultiHeadESA(width, heads, esa_hidden)
        for i in range(1, blocks + 1):
            self.add_module(f"block_{i}", ERLFB(width, esa_hidden, se_hidden))
        self.conv_out = conv3x3(width, width)
        self.upsampler = pixel_shuffle_upsampler(width, 3, scale)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, 3, H, W]`` in [0, 1] to ``[N, 3, scale*H, scale*W]``, not clamped.

        Raises:
            ValueError: H or W is below 15, or the rank or channel count is wrong.
        """
        x = check_picture(x, self.in_channels, self.min_size)
        first = self.conv_in(x)
        features = self.multi_head(first)
        for i in range(1, self.blocks + 1):
            features = getattr(self, f"block_{i}")(features)
        return self.upsampler(self.conv_out(features) + first)


class ERLFB(nn.Module):
    """RLFB in groups, with channel attention beside ESA: ``c5((u + se(r4) + esa(r4)) / 3)``.

    r4 is u after c1_r, c2_r, c3_r, 3x3 convolutions in 2, 4 and 8 groups, and c4_r, 1x1, each
    activated with slope 0.05; c5 is 1x1.

    Source: NTIRE 2024 efficient SR report, section 4.25.
    """

    def __init__(self, width: int, esa_hidden: int, se_hidden: int):
        super().__init__()
        self.c1_r = conv3x3(width, width, groups=2)
        self.c2_r = conv3x3(width, width, groups=4)
        self.c3_r = conv3x3(width, width, groups=8)
        self.c4_r = conv1x1(width, width)
        self.se = SqueezeExcitation(width, se_hidden)
        self.esa = ESA(width, esa_hidden)
        self.c5 = conv1x1(width, width)

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, width, H, W]`` to the same shape."""
        r = u
        for layer in (self.c1_r, self.c2_r, self.c3_r, self.c4_r):
            r = F.leaky_relu(layer(r), SLOPE)
        return self.c5((u + self.se(r) + self.esa(r)) / 3)


def _detect(shapes: Shapes) -> dict | None:
    head = r"multi_head\.esr_list\.\d+\."
    width = vote(shapes, head + r"pw\.weight", 0)
    if width is None:
        return None
    scale, _ = scale_and_channels(shapes, "upsampler.0.weight", 3)
    return {
        "width": width,
        "heads": blocks(shapes, r"multi_head\.esr_list\.(\d+)\.") + 1,
        "blocks": blocks(shapes, r"block_(\d+)\."),
        "esa_hidden": vote(shapes, head + r"esa\.conv[123]\.weight", 0) or 16,
        "se_hidden": vote(shapes, r"block_\d+\.se\.fc\.0\.weight", 0) or 4,
        "scale": scale,
    }


NETWORK = Network(
    name="emaxgman",
    title="EMaxGMan",
    paper="NTIRE 2024 efficient SR challenge report, team 15, section 4.25",
    build=EMaxGMan,
    detect=_detect,
)
