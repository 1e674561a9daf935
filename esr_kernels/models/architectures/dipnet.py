"""DIPNet, an RLFN made small by re-parameterisation and pruning (team 45)."""

from ..backbones.residual_backbone import ResidualBackbone, numbered
from ..network import Network, Shapes
from .asr import detect_unbiased, unbiased_block


class DIPNet(ResidualBackbone):
    """RLFN with fewer channels and with biases in ESA only.

    The challenge's network is ``DIPNet()``: 243 252 parameters.

    Args:
        width: Channels of the backbone.
        mid: Channels between the convolutions of a block.
        esa_hidden: Channels inside ESA.

    Source: Yu et al., "DIPNet: Efficiency Distillation and Iterative Pruning for Image
    Super-Resolution", 2023; in the NTIRE 2024 efficient SR report only as a row of table 1.
    """

    name = "dipnet"

    def __init__(
        self,
        width: int = 44,
        *,
        mid: int = 38,
        blocks: int = 4,
        esa_hidden: int = 16,
        scale: int = 4,
    ):
        parts = (unbiased_block(width, mid, esa_hidden) for _ in range(blocks))
        super().__init__(width, numbered(parts), scale=scale, bias=False)


def _detect(shapes: Shapes) -> dict | None:
    return detect_unbiased(shapes, kernel=3)


NETWORK = Network(
    name="dipnet",
    title="DIPNet",
    paper='Yu et al., "DIPNet: Efficiency Distillation and Iterative Pruning for Image '
    'Super-Resolution", 2023',
    build=DIPNet,
    detect=_detect,
)
