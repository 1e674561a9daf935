"""RCN, an RLFN that normalises before and after its convolutions (team 04)."""

import torch.nn.functional as F
from torch import Tensor, nn

from ..blocks import ESA, ChannelLayerNorm, conv1x1, conv3x3
from ..network import Network, Shapes
from ..shapes import vote
from .residual_backbone import ResidualTrunk, detect_trunk, numbered

EPSILON = 1e-6


class RCN(ResidualTrunk):
    """RLFN's trunk with ``blocks`` times ``RCB``.

    ``width``: channels of the trunk; ``esa_hidden``: channels of the attention's small map. The
    challenge's network is ``RCN()``: 238 360 parameters.

    Source: NTIRE 2024 efficient SR report, team 04.
    """

    name = "rcn"

    def __init__(self, width: int = 40, *, blocks: int = 4, esa_hidden: int = 16, scale: int = 4):
        parts = (RCB(width, esa_hidden) for _ in range(blocks))
        super().__init__(width, numbered(parts), scale=scale)


class RCB(nn.Module):
    """``esa(c5(ln2(r3 + z)))`` where ``z = ln1(u)`` and r3 is z after three 3x3 convolutions, each
    followed by GELU. ln1 and ln2 normalise over the channels of each pixel.

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
        """``[N, C, H, W] -> [N, C, H, W]``."""
        z = self.ln1(u)
        r1 = F.gelu(self.conv1_r(z))
        r2 = F.gelu(self.conv2_r(r1))
        r3 = F.gelu(self.conv3_r(r2))
        return self.esa(self.c5(self.ln2(r3 + z)))


def _detect(shapes: Shapes) -> dict | None:
    found = detect_trunk(shapes, r"block_\d+\.conv\d_r\.weight")
    esa_hidden = vote(shapes, r"block_\d+\.esa\.conv_f\.weight", 0)
    return found and found | {"esa_hidden": esa_hidden or 16}


NETWORK = Network(
    name="rcn",
    title="RCN",
    paper="NTIRE 2024 efficient SR challenge report, team 04",
    build=RCN,
    detect=_detect,
)
