"""SMRN, the separable-mixable residual network (team 10)."""

import torch.nn.functional as F
from torch import Tensor

from ..blocks import ESA, RLFB, BSConv, conv1x1, conv3x3, register_mean
from ..network import Network, Shapes
from ..shapes import vote
from .residual_backbone import ResidualTrunk, block_keys, detect_trunk, numbered


class SMRN(ResidualTrunk):
    """Separable-Mixable Residual Network.

    RLFN's trunk for the picture without its mean, which is added again in the end. conv_2 and c1_r
    and c3_r of the blocks are blueprint-separable; the blocks have GELU, and no bias in c2_r and
    c5, like conv_1.

    ``width``: channels of the trunk; ``esa_hidden``: channels of the attention's small map. The
    challenge's network is ``SMRN()``: 165 344 parameters.

    Source: NTIRE 2024 efficient SR report, team 10.
    """

    name = "smrn"

    def __init__(self, width: int = 48, *, blocks: int = 4, esa_hidden: int = 16, scale: int = 4):
        parts = (_block(width, esa_hidden) for _ in range(blocks))
        super().__init__(width, numbered(parts), scale=scale)
        register_mean(self)
        self.conv_1 = conv3x3(3, width, bias=False)
        self.conv_2 = BSConv(width, width)  # type: ignore[assignment]

    def enter(self, x: Tensor) -> Tensor:
        """``x - mean``."""
        return x - self.mean

    def leave(self, enlarged: Tensor, x: Tensor) -> Tensor:
        """``enlarged + mean``."""
        return enlarged + self.mean


def _block(width: int, esa_hidden: int) -> RLFB:
    mixed = conv3x3(width, width, bias=False)
    layers = [BSConv(width, width), mixed, BSConv(width, width)]
    c5 = conv1x1(width, width, bias=False)
    return RLFB(layers, c5=c5, esa=ESA(width, esa_hidden), act=F.gelu)


def _detect(shapes: Shapes) -> dict | None:
    if "c2_r.weight" not in block_keys(shapes):
        return None
    found = detect_trunk(shapes, r"block_\d+\.c[13]_r\.pw\.weight")
    esa_hidden = vote(shapes, r"block_\d+\.esa\.conv_f\.weight", 0)
    return found and found | {"esa_hidden": esa_hidden or 16}


NETWORK = Network(
    name="smrn",
    title="Separable-Mixable Residual Network",
    paper="NTIRE 2024 efficient SR challenge report, team 10",
    build=SMRN,
    detect=_detect,
)
