"""SMRN, the separable-mixable residual network (team 10)."""

import torch.nn.functional as F
from torch import Tensor

from ..backbones.residual_backbone import ResidualBackbone, block_keys, detect_backbone, numbered
from ..blocks import ESA, RLFB, BSConv, conv1x1, conv3x3, register_mean
from ..network import Network, Shapes
from ..shapes import vote


class SMRN(ResidualBackbone):
    """Separable-Mixable Residual Network.

    RLFN's backbone on ``x - mean``; the mean is added to the output. conv_2 and, in the blocks,
    c1_r and c3_r are blueprint-separable. The blocks have GELU, and no bias in c2_r and c5; conv_1
    has none either. The challenge's network is ``SMRN()``: 165 344 parameters.

    Args:
        width: Channels of the backbone.
        esa_hidden: Channels inside ESA.

    Source: NTIRE 2024 efficient SR report, team 10.
    """

    name = "smrn"
    mean: Tensor

    def __init__(self, width: int = 48, *, blocks: int = 4, esa_hidden: int = 16, scale: int = 4):
        parts = (_block(width, esa_hidden) for _ in range(blocks))
        super().__init__(width, numbered(parts), scale=scale)
        register_mean(self)
        self.conv_1 = conv3x3(3, width, bias=False)
        self.conv_2 = BSConv(width, width)  # type: ignore[assignment]

    def enter(self, x: Tensor) -> Tensor:
        """Subtract the mean colour."""
        return x - self.mean

    def leave(self, upscaled: Tensor, x: Tensor) -> Tensor:
        """Add the mean colour."""
        return upscaled + self.mean


def _block(width: int, esa_hidden: int) -> RLFB:
    mixed = conv3x3(width, width, bias=False)
    layers = [BSConv(width, width), mixed, BSConv(width, width)]
    c5 = conv1x1(width, width, bias=False)
    return RLFB(layers, c5=c5, esa=ESA(width, esa_hidden), act=F.gelu)


def _detect(shapes: Shapes) -> dict | None:
    if "c2_r.weight" not in block_keys(shapes):
        return None
    found = detect_backbone(shapes, r"block_\d+\.c[13]_r\.pw\.weight")
    esa_hidden = vote(shapes, r"block_\d+\.esa\.conv_f\.weight", 0)
    return found and found | {"esa_hidden": esa_hidden or 16}


NETWORK = Network(
    name="smrn",
    title="Separable-Mixable Residual Network",
    paper="NTIRE 2024 efficient SR challenge report, team 10",
    build=SMRN,
    detect=_detect,
)
