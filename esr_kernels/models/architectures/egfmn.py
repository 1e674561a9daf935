"""EGFMN, the enhanced gated feature modulation network (team 43)."""

from torch import Tensor, nn

from ..blocks import (
    SAFM,
    SAFM_MIN_SIZE,
    ChannelLayerNorm,
    GatedFFN,
    check_picture,
    conv3x3,
    pixel_shuffle_upsampler,
)
from ..network import Network, Shapes, Upscaler
from ..shapes import blocks, scale_and_channels, vote

EPS = 1e-6


class EGFMN(Upscaler):
    """Enhanced Gated Feature Modulation Network.

    ``F0 = to_feat(x)``, then ``blocks`` times ``s = F + safm(norm1(F))``, ``F = s +
    ffd(norm2(s))``, with norms over the channels of a pixel; the output is the pixel shuffle of a
    last 3x3 convolution of ``F + F0``. ffd is a gated feed-forward without activation.

    The challenge's network is ``EGFMN()``: 92 964 parameters.

    Args:
        width: Channels of the backbone.
        hidden: Channels of the feed-forward after its gate.

    Source: NTIRE 2024 efficient SR report, section 4.21.
    """

    name = "egfmn"
    min_size = SAFM_MIN_SIZE

    def __init__(self, width: int = 36, *, hidden: int = 72, blocks: int = 7, scale: int = 4):
        super().__init__(scale=scale, in_channels=3, out_channels=3)
        self.to_feat = conv3x3(3, width)
        self.feats = nn.Sequential(*(EGFMNBlock(width, hidden) for _ in range(blocks)))
        self.to_img = pixel_shuffle_upsampler(width, 3, scale)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, 3, H, W]`` in [0, 1] to ``[N, 3, scale*H, scale*W]``, not clamped.

        Raises:
            ValueError: H or W is below 16, or the rank or channel count is wrong.
        """
        x = check_picture(x, self.in_channels, self.min_size)
        first = self.to_feat(x)
        return self.to_img(self.feats(first) + first)


class EGFMNBlock(nn.Module):
    """Gated feature modulation block: ``s = t + safm(norm1(t))``, then ``s + ffd(norm2(s))``."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.norm1 = ChannelLayerNorm(width, EPS)
        self.safm = SAFM(width)
        self.norm2 = ChannelLayerNorm(width, EPS)
        self.ffd = GatedFFN(width, hidden, nn.Identity())

    def forward(self, t: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        s = t + self.safm(self.norm1(t))
        return s + self.ffd(self.norm2(s))


def _detect(shapes: Shapes) -> dict | None:
    width = vote(shapes, r"feats\.\d+\.safm\.aggr\.weight", 0)
    hidden = vote(shapes, r"feats\.\d+\.ffd\.project_out\.weight", 1)
    of_gfmn = vote(shapes, r"feats\.\d+\.safm\.proj_1\.(weight|bias)", 0)
    if width is None or hidden is None or of_gfmn is not None:
        return None
    scale, _ = scale_and_channels(shapes, "to_img.0.weight", 3)
    return {
        "width": width,
        "hidden": hidden,
        "blocks": blocks(shapes, r"feats\.(\d+)\.") + 1,
        "scale": scale,
    }


NETWORK = Network(
    name="egfmn",
    title="Enhanced Gated Feature Modulation Network",
    paper="NTIRE 2024 efficient SR challenge report, team 43, section 4.21",
    build=EGFMN,
    detect=_detect,
)
