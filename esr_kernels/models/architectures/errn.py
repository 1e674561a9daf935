"""ERRN, the enhanced re-parameterised residual network (team 46)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..backbones.residual_backbone import ResidualBackbone, detect_backbone, numbered
from ..blocks import conv1x1, conv3x3
from ..network import Network, Shapes
from ..reparam import named

SLOPE = 0.1


class ERRN(ResidualBackbone):
    """RLFN's backbone with ``blocks`` times ``RepB``.

    The challenge's network is ``ERRN()``: 379 694 parameters.

    Args:
        width: Channels of the backbone.

    Source: NTIRE 2024 efficient SR report, team 46.
    """

    name = "errn"
    min_size = 1

    def __init__(self, width: int = 40, *, blocks: int = 6, scale: int = 4):
        super().__init__(width, numbered(RepB(width) for _ in range(blocks)), scale=scale)


class RepB(nn.Module):
    """Residual block with a gate: ``s * sigmoid(ssa(s))``, where ``s = r4 + u``.

    r4 is u after four 3x3 convolutions, with a leaky rectifier of slope 0.1 between them; ssa is a
    1x1 convolution to one channel.

    Source: NTIRE 2024 efficient SR report, team 46.
    """

    def __init__(self, width: int):
        super().__init__()
        self.rep1_1 = named("rep_conv", conv3x3(width, width))
        self.rep1_2 = named("rep_conv", conv3x3(width, width))
        self.rep2_1 = named("rep_conv2", conv3x3(width, width))
        self.rep2_2 = named("rep_conv2", conv3x3(width, width))
        self.ssa = named("sa_conv", conv1x1(width, 1))

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to ``[N, C, H, W]``."""
        r1 = F.leaky_relu(self.rep1_1(u), SLOPE)
        r2 = F.leaky_relu(self.rep1_2(r1), SLOPE)
        r3 = F.leaky_relu(self.rep2_1(r2), SLOPE)
        s = self.rep2_2(r3) + u
        return s * torch.sigmoid(self.ssa(s))


def _detect(shapes: Shapes) -> dict | None:
    return detect_backbone(shapes, r"block_\d+\.rep\d_\d\.rep_conv2?\.weight")


NETWORK = Network(
    name="errn",
    title="Enhanced Reparameterize Residual Network",
    paper="NTIRE 2024 efficient SR challenge report, team 46",
    build=ERRN,
    detect=_detect,
)
