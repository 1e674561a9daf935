"""R2Net, the double re-parameterisation network (team 29)."""

import torch.nn.functional as F
from torch import Tensor, nn

from ..backbones.residual_backbone import ResidualBackbone, block_keys, detect_backbone, numbered
from ..blocks import ESA, RLFB_SLOPE, conv1x1, conv3x3
from ..network import Network, Shapes
from ..shapes import vote


class R2Net(ResidualBackbone):
    """RLFN's backbone without any bias, conv_2 a 1x1 convolution, and ``blocks`` times ``RRFB``.

    The challenge's network is ``R2Net()``: 214 800 parameters.

    Args:
        width: Channels of the backbone.
        esa_hidden: Channels inside ESA.

    Source: NTIRE 2024 efficient SR report, team 29.
    """

    name = "r2net"

    def __init__(self, width: int = 48, *, blocks: int = 4, esa_hidden: int = 16, scale: int = 4):
        parts = (RRFB(width, esa_hidden) for _ in range(blocks))
        super().__init__(width, numbered(parts), scale=scale, bias=False)
        self.conv_2 = conv1x1(width, width, bias=False)


class RRFB(nn.Module):
    """Block without a skip: ``esa(c3_r(lrelu(c1_r(u))))`` with 3x3 convolutions and slope 0.05.

    Source: NTIRE 2024 efficient SR report, team 29.
    """

    def __init__(self, width: int, esa_hidden: int):
        super().__init__()
        self.c1_r = conv3x3(width, width, bias=False)
        self.c3_r = conv3x3(width, width, bias=False)
        self.esa = ESA(width, esa_hidden, side=False, bias=False)

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to ``[N, C, H, W]``."""
        return self.esa(self.c3_r(F.leaky_relu(self.c1_r(u), RLFB_SLOPE)))


def _detect(shapes: Shapes) -> dict | None:
    if {"c2_r.weight", "c5.weight"} & block_keys(shapes):
        return None
    found = detect_backbone(shapes, r"block_\d+\.c[13]_r\.weight")
    esa_hidden = vote(shapes, r"block_\d+\.esa\.conv[123]\.weight", 0)
    return found | {"esa_hidden": esa_hidden} if found and esa_hidden else None


NETWORK = Network(
    name="r2net",
    title="Double Reparameterization Network",
    paper="NTIRE 2024 efficient SR challenge report, team 29",
    build=R2Net,
    detect=_detect,
)
