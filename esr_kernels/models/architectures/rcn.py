"""RCN, an RLFN that normalises before and after its convolutions (team 04)."""

import torch.nn.functional as F
from torch import Tensor, nn

from ..backbones.residual_backbone import ResidualBackbone, detect_backbone, numbered
from ..blocks import ESA, ChannelLayerNorm, conv1x1, conv3x3
from ..network import Network, Shapes
from ..shapes import vote

EPSILON = 1e-6


class RCN(ResidualBackbone):
    """RLFN's backbone with ``blocks`` times ``RCB``.

    The challenge's network is ``RCN()``: 238 360 parameters.

    Args:
        width: Channels of the backbone.
        esa_hidden: Channels inside ESA.

    Source: NTIRE 2024 efficient SR report, team 04.
    """

    name = "rcn"

    def __init__(self, width: int = 40, *, blocks: int = 4, esa_hidden: int = 16, scale: int = 4):
        parts = (RCB(width, esa_hidden) for _ in range(blocks))
        super().__init__(width, numbered(parts), scale=scale)


class RCB(nn.Module):
    """RLFB with two norms: ``esa(c5(ln2(r3 + z)))`` where ``z = ln1(u)``.

    r3 is z after three 3x3 convolutions, each followed by GELU. ln1 and ln2 normalise over the
    channels of each pixel.

    Source: NTIRE 2024 efficient SR report, team 04.
    """

    def __init__(self, width: int, esa_hidden: int):
        super().__init__()
        self.ln1 = ChannelLayerNorm(width, EPSILON)
        self.conv1_r = conv3x3(width, width)
        self.conv2_r = conv3x3(width, width)
        self.conv3_r = conv3x3(width, width)
        self.ln2 = ChannelLayerNorm(width, EPSILON)
        self.c5 = conv1x1(width, width)
        self.esa = ESA(width, esa_hidden)

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to ``[N, C, H, W]``."""
        z = self.ln1(u)
        r1 = F.gelu(self.conv1_r(z))
        r2 = F.gelu(self.conv2_r(r1))
        r3 = F.gelu(self.conv3_r(r2))
        return self.esa(self.c5(self.ln2(r3 + z)))


def _detect(shapes: Shapes) -> dict | None:
    found = detect_backbone(shapes, r"block_\d+\.conv\d_r\.weight")
    esa_hidden = vote(shapes, r"block_\d+\.esa\.conv_f\.weight", 0)
    return found and found | {"esa_hidden": esa_hidden or 16}


NETWORK = Network(
    name="rcn",
    title="RCN",
    paper="NTIRE 2024 efficient SR challenge report, team 04",
    build=RCN,
    detect=_detect,
)
