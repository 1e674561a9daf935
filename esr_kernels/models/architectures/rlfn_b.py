"""RLFN_B, RLFN with a batch norm in every block (team 13)."""

import copy

from torch import Tensor, nn

from ..backbones.residual_backbone import ResidualBackbone, block_keys, detect_rlfb, numbered
from ..blocks import ESA, RLFB, conv1x1, rlfb_layers
from ..network import Network, Shapes
from ..reparam import fold_batch_norm


class RLFNB(ResidualBackbone):
    """RLFN with a batch norm before the first activation of every block.

    The weights were trained in 0..255. The challenge's network is ``RLFNB()``: 317 602 parameters.

    Args:
        width: Channels of the backbone.
        mid: Channels between the convolutions of a block.
        esa_hidden: Channels inside ESA.

    Source: NTIRE 2024 efficient SR report, team 13.
    """

    name = "rlfn-b"

    def __init__(
        self,
        width: int = 46,
        *,
        mid: int = 48,
        blocks: int = 4,
        esa_hidden: int = 16,
        scale: int = 4,
    ):
        parts = (NormedRLFB(width, mid, esa_hidden) for _ in range(blocks))
        super().__init__(width, numbered(parts), scale=scale, data_range=255.0)

    def inference_form(self) -> "RLFNB":
        """Return a copy whose batch norms are folded into the convolutions before them."""
        folded = copy.deepcopy(self)
        for block in folded.modules():
            if isinstance(block, NormedRLFB) and isinstance(block.bn1, nn.BatchNorm2d):
                block.c1_r = fold_batch_norm(block.c1_r, block.bn1)
                block.bn1 = nn.Identity()
        return folded


class NormedRLFB(RLFB):
    """RLFN's block with ``r1 = act(bn1(c1_r(u)))``."""

    def __init__(self, width: int, mid: int, esa_hidden: int):
        layers = rlfb_layers(width, mid)
        super().__init__(layers, c5=conv1x1(width, width), esa=ESA(width, esa_hidden))
        self.bn1: nn.Module = nn.BatchNorm2d(mid)

    def first(self, u: Tensor) -> Tensor:
        """Map ``[N, width, H, W]`` to ``[N, mid, H, W]``."""
        return self.bn1(self.c1_r(u))


def _detect(shapes: Shapes) -> dict | None:
    return detect_rlfb(shapes) if "bn1.running_mean" in block_keys(shapes) else None


NETWORK = Network(
    name="rlfn-b",
    title="Residual Local Feature Network with batch norm",
    paper="NTIRE 2024 efficient SR challenge report, team 13",
    build=RLFNB,
    detect=_detect,
)
