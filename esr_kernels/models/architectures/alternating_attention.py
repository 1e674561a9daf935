"""What IFADNet and LSANet share: blocks of which only every second one attends."""

import re
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from ..blocks import conv3x3, mirrored_bsconv
from ..network import Shapes
from ..reparam import RepBlock, named
from ..shapes import blocks, scale_and_channels, vote


class SpacedBlock(nn.Module):
    """``esa(c5(r3)) + u`` where r3 is u after the three ``layers`` c1_r, c2_r, c4, each followed by
    GELU. ``c5``, ``esa``: nothing by default.
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
        """``[N, C, H, W]`` to the same."""
        r = u
        for layer in (self.c1_r, self.c2_r, self.c4):
            r = F.gelu(layer(r))
        return self.esa(self.c5(r)) + u


def separable(width: int) -> nn.Module:
    """A mirrored BSConv under the name of a merged convolution, though nothing was merged."""
    return named(RepBlock.merged_name, mirrored_bsconv(width, width))


def dense(width: int, training_form: bool) -> nn.Module:
    """A 3x3 convolution, or what it is trained as."""
    return RepBlock(width) if training_form else named(RepBlock.merged_name, conv3x3(width, width))


def detect(shapes: Shapes, first_layer: str) -> dict | None:
    """Hyperparameters of the network whose blocks begin with keys that match ``first_layer``."""
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
