"""SlimRLFN, a narrow and deep RLFN, and its pruned form (team 21)."""

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from ..backbones.residual_backbone import ResidualBackbone, detect_backbone
from ..blocks import ESA, RLFB, conv1x1, rlfb_layers
from ..network import Network, Shapes
from ..shapes import vote


class SlimRLFN(ResidualBackbone):
    """RLFN with narrow blocks, whose ESA has no convolution conv_f.

    The weights were trained in 0..255. The challenge's network is ``SlimRLFN()``: 207 774
    parameters; its pruned form has ``mids=(28, 28, 28, 28, 28, 30)``: 197 134.

    Args:
        width: Channels of the backbone.
        mids: For each block, the channels between its convolutions.
        esa_hidden: Channels inside ESA.

    Source: NTIRE 2024 efficient SR report, team 21.
    """

    name = "slimrlfn"

    def __init__(
        self,
        width: int = 30,
        *,
        mids: Sequence[int] = (30,) * 6,
        esa_hidden: int = 16,
        scale: int = 4,
    ):
        parts = nn.Sequential(*(_block(width, mid, esa_hidden) for mid in mids))
        super().__init__(width, {"block_list": parts}, scale=scale, data_range=255.0)
        convolution, shuffle = self.upsampler
        self.upsampler = nn.Sequential(
            OrderedDict(upsample_conv=convolution, pixel_shuffle=shuffle)
        )


def _block(width: int, mid: int, esa_hidden: int) -> RLFB:
    esa = ESA(width, esa_hidden, side=False)
    return RLFB(rlfb_layers(width, mid), c5=conv1x1(width, width), esa=esa)


def _detect(shapes: Shapes) -> dict | None:
    found = detect_backbone(
        shapes,
        r"block_list\.\d+\.c5\.weight",
        block=r"block_list\.(\d+)\.",
        upsampler="upsampler.upsample_conv",
    )
    if found is None:
        return None
    last = found.pop("blocks")
    mids = (vote(shapes, rf"block_list\.{i}\.c[12]_r\.(weight|bias)", 0) for i in range(last + 1))
    esa_hidden = vote(shapes, r"block_list\.\d+\.esa\.conv[123]\.weight", 0)
    return found | {"mids": [mid or 30 for mid in mids], "esa_hidden": esa_hidden or 16}


NETWORK = Network(
    name="slimrlfn",
    title="Slim Residual Local Feature Network",
    paper="NTIRE 2024 efficient SR challenge report, team 21",
    build=SlimRLFN,
    detect=_detect,
)
