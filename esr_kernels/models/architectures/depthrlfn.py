"""DepthRLFN, RLFN with depthwise convolutions in the middle of its blocks (team 42)."""

from torch import Tensor, nn

from ..backbones.residual_backbone import ResidualBackbone, block_keys, detect_rlfb, numbered
from ..blocks import ESA, RLFB, RLFB_SLOPE, bilinear, conv1x1, depthwise, rlfb_layers
from ..network import Network, Shapes


class DepthRLFN(ResidualBackbone):
    """RLFN added to the bilinearly upscaled x, with a depthwise convolution in its blocks.

    c2_r of the blocks is a depthwise 3x3 convolution, a leaky rectifier of slope 0.05, and a 1x1
    convolution. The challenge's network is ``DepthRLFN()``: 245 410 parameters.

    Args:
        width: Channels of the backbone.
        mid: Channels between the convolutions of a block.
        esa_hidden: Channels inside ESA.

    Source: NTIRE 2024 efficient SR report, section 4.16.
    """

    name = "depthrlfn"

    def __init__(
        self,
        width: int = 46,
        *,
        mid: int = 48,
        blocks: int = 4,
        esa_hidden: int = 16,
        scale: int = 4,
    ):
        parts = (_block(width, mid, esa_hidden) for _ in range(blocks))
        super().__init__(width, numbered(parts), scale=scale)

    def leave(self, upscaled: Tensor, x: Tensor) -> Tensor:
        """Compute the output from ``[N, 3, scale*H, scale*W]`` and the picture ``[N, 3, H, W]``."""
        return upscaled + bilinear(x, self.scale)


def _block(width: int, mid: int, esa_hidden: int) -> RLFB:
    first, _, last = rlfb_layers(width, mid)
    middle = nn.Sequential(depthwise(mid), nn.LeakyReLU(RLFB_SLOPE), conv1x1(mid, mid))
    return RLFB([first, middle, last], c5=conv1x1(width, width), esa=ESA(width, esa_hidden))


def _detect(shapes: Shapes) -> dict | None:
    return detect_rlfb(shapes) if "c2_r.0.weight" in block_keys(shapes) else None


NETWORK = Network(
    name="depthrlfn",
    title="Depthwise Residual Local Feature Network",
    paper="NTIRE 2024 efficient SR challenge report, team 42, section 4.16",
    build=DepthRLFN,
    detect=_detect,
)
