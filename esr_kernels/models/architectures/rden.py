"""RDEN, an RLFN without biases and without 1x1 convolutions in its backbone (team 26)."""

import torch.nn.functional as F
from torch import nn

from ..backbones.residual_backbone import ResidualBackbone, detect_backbone, numbered
from ..blocks import ESA, RLFB, rlfb_layers
from ..network import Network, Shapes
from ..reparam import named
from ..shapes import blocks, vote


class RDEN(ResidualBackbone):
    """RLFN's backbone with GELU, no c5 in the blocks, and biases in ESA only.

    The challenge's network is ``RDEN()``: 201 752 parameters.

    Args:
        width: Channels of the backbone.
        esa_hidden: Channels inside ESA.

    Source: NTIRE 2024 efficient SR report, team 26.
    """

    name = "rden"

    def __init__(self, width: int = 37, *, blocks: int = 4, esa_hidden: int = 16, scale: int = 4):
        parts = numbered(_block(width, esa_hidden) for _ in range(blocks))
        super().__init__(width, parts, scale=scale, bias=False, upsampler=f"upsampler_x{scale}")


def _block(width: int, esa_hidden: int) -> RLFB:
    layers = [named("conv_infer", layer) for layer in rlfb_layers(width, width, bias=False)]
    return RLFB(layers, c5=nn.Identity(), esa=ESA(width, esa_hidden), act=F.gelu)


def _detect(shapes: Shapes) -> dict | None:
    found = detect_backbone(shapes, r"block_\d+\.c\d_r\.conv_infer\.weight")
    scale = blocks(shapes, r"upsampler_x(\d+)\.")
    esa_hidden = vote(shapes, r"block_\d+\.esa\.conv_f\.weight", 0)
    return found and found | {"scale": scale or 4, "esa_hidden": esa_hidden or 16}


NETWORK = Network(
    name="rden",
    title="Residual Distillation Network",
    paper="NTIRE 2024 efficient SR challenge report, team 26",
    build=RDEN,
    detect=_detect,
)
