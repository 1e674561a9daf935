"""LightRLFN, a narrow RLFN that adds to the upscaled input (team 16)."""

from torch import Tensor

from ..backbones.residual_backbone import ResidualBackbone, numbered
from ..blocks import bilinear
from ..network import Network, Shapes
from .rlfn import detect_plain, plain_block


class LightRLFN(ResidualBackbone):
    """RLFN whose output is added to the bilinearly upscaled x.

    The challenge's network is ``LightRLFN()``: 265 988 parameters. Its checkpoint has RLFN's keys;
    width 36 with mid 48 identifies it.

    Args:
        width: Channels of the backbone.
        mid: Channels between the convolutions of a block.
        esa_hidden: Channels inside ESA.

    Source: NTIRE 2024 efficient SR report, team 16.
    """

    name = "lightrlfn"

    def __init__(
        self,
        width: int = 36,
        *,
        mid: int = 48,
        blocks: int = 4,
        esa_hidden: int = 16,
        scale: int = 4,
    ):
        parts = (plain_block(width, mid, esa_hidden) for _ in range(blocks))
        super().__init__(width, numbered(parts), scale=scale)

    def leave(self, upscaled: Tensor, x: Tensor) -> Tensor:
        """Compute the output from ``[N, 3, scale*H, scale*W]`` and the picture ``[N, 3, H, W]``."""
        return upscaled + bilinear(x, self.scale)


def _detect(shapes: Shapes) -> dict | None:
    found = detect_plain(shapes)
    return found if found and (found["width"], found["mid"]) == (36, 48) else None


NETWORK = Network(
    name="lightrlfn",
    title="Light Residual Local Feature Network",
    paper="NTIRE 2024 efficient SR challenge report, team 16",
    build=LightRLFN,
    detect=_detect,
)
