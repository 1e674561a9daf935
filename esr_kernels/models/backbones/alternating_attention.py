"""Blocks of IFADNet and LSANet, of which only every second one has attention."""

import re
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from ..blocks import conv3x3, mirrored_bsconv
from ..network import Shapes
from ..reparam import RepBlock, named
from ..shapes import blocks, scale_and_channels, vote


class GeluRLFB(nn.Module):
    """RLFB with GELU and another skip: ``esa(c5(r3)) + u``.

    r3 is u after three layers, each followed by GELU.

    Args:
        layers: The modules c1_r, c2_r and c4.
        c5: The module c5, the identity if None.
        esa: The attention, the identity if None.
    """

    def __init__(
        self,
        layers: Sequence[nn.Module],
        *,
        c5: nn.Module | None = None,
        esa: nn.Module | None = None,
    ):
        super().__init__()
        self.c1_r, self.c2_r, self.c4 = layers
        self.c5 = c5 or nn.Identity()
        self.esa = esa or nn.Identity()

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        r = u
        for layer in (self.c1_r, self.c2_r, self.c4):
            r = F.gelu(layer(r))
        return self.esa(self.c5(r)) + u


def separable(width: int) -> nn.Module:
    """Make a mirrored BSConv under the name of a merged convolution, as the checkpoints have it."""
    return named(RepBlock.merged_name, mirrored_bsconv(width, width))


def dense(width: int, training_form: bool) -> nn.Module:
    """Make a 3x3 convolution, or the ``RepBlock`` that it is trained as."""
    return RepBlock(width) if training_form else named(RepBlock.merged_name, conv3x3(width, width))


def detect(shapes: Shapes, first_layer: str) -> dict | None:
    """Read the hyperparameters of the network whose blocks begin with keys like ``first_layer``."""
    width = vote(shapes, r"B\d+\.c4\.rbr_reparam\.(pw\.)?weight", 0)
    if width is None or not any(re.match(first_layer, key) for key in shapes):
        return None
    scale, _ = scale_and_channels(shapes, "upsampler.upsampleOneStep.0.weight", 3)
    return {
        "width": width,
        "blocks": blocks(shapes, r"B(\d+)\."),
        "esa_hidden": vote(shapes, r"B\d+\.esa\.conv[123]\.weight", 0) or 16,
        "scale": scale,
        "training_form": any(".rbr_3x3_branch." in key for key in shapes),
    }
