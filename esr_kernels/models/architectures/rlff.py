"""RLFF, an RLFN with gated feed-forward blocks between its own (team 05)."""

import torch.nn.functional as F
from torch import nn

from ..backbones.residual_backbone import ResidualBackbone, detect_rlfb, numbered
from ..blocks import ESA, RLFB, GatedFFN, conv1x1, rlfb_layers
from ..network import Network, Shapes
from ..shapes import vote


class RLFF(ResidualBackbone):
    """RLFN's backbone with gated feed-forward blocks between its own.

    Every odd block is an RLFB, every even one a gated feed-forward block without a skip; all have
    GELU. The challenge's network is ``RLFF()``: 297 708 parameters.

    Args:
        width: Channels of the backbone.
        mid: Channels between the convolutions of an RLFB.
        ffn_hidden: Channels of each half in a feed-forward block.
        esa_hidden: Channels inside ESA.

    Source: NTIRE 2024 efficient SR report, team 05.
    """

    name = "rlff"

    def __init__(
        self,
        width: int = 48,
        *,
        mid: int = 48,
        blocks: int = 5,
        ffn_hidden: int = 127,
        esa_hidden: int = 16,
        scale: int = 4,
    ):
        def block(number: int) -> nn.Module:
            if number % 2 == 0:
                return GatedFFN(width, ffn_hidden, F.gelu)
            esa = ESA(width, esa_hidden)
            return RLFB(rlfb_layers(width, mid), c5=conv1x1(width, width), esa=esa, act=F.gelu)

        parts = numbered(block(number) for number in range(1, blocks + 1))
        super().__init__(width, parts, scale=scale)


def _detect(shapes: Shapes) -> dict | None:
    found = detect_rlfb(shapes)
    ffn_hidden = vote(shapes, r"block_\d+\.project_out\.weight", 1)
    return found | {"ffn_hidden": ffn_hidden} if found and ffn_hidden else None


NETWORK = Network(
    name="rlff",
    title="Residual Local Feature Network with gated feed-forward blocks",
    paper="NTIRE 2024 efficient SR challenge report, team 05",
    build=RLFF,
    detect=_detect,
)
