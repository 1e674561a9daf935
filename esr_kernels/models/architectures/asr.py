"""ASR, RLFN with kernels and biases pruned (team 17)."""

from ..backbones.residual_backbone import ResidualBackbone, block_keys, detect_rlfb, numbered
from ..blocks import ESA, RLFB, conv1x1, rlfb_layers
from ..network import Network, Shapes
from ..shapes import size


class ASR(ResidualBackbone):
    """RLFN with 1x1 convolutions at the end: conv_2, the upsampler's, and c2_r of the last block.

    There are biases in conv_1 and ESA only. The weights were trained in 0..255. The challenge's
    network is ``ASR()``: 263 348 parameters.

    Args:
        width: Channels of the backbone.
        mid: Channels between the convolutions of a block.
        esa_hidden: Channels inside ESA.

    Source: NTIRE 2024 efficient SR report, team 17.
    """

    name = "asr"

    def __init__(
        self,
        width: int = 46,
        *,
        mid: int = 48,
        blocks: int = 4,
        esa_hidden: int = 16,
        scale: int = 4,
    ):
        parts = [unbiased_block(width, mid, esa_hidden) for _ in range(blocks)]
        parts[-1].c2_r = conv1x1(mid, mid, bias=False)
        super().__init__(width, numbered(parts), scale=scale, data_range=255.0)
        self.conv_2 = conv1x1(width, width, bias=False)
        self.upsampler[0] = conv1x1(width, 3 * scale * scale, bias=False)


def unbiased_block(width: int, mid: int, esa_hidden: int) -> RLFB:
    """RLFN's block with biases in ESA only."""
    layers = rlfb_layers(width, mid, bias=False)
    return RLFB(layers, c5=conv1x1(width, width, bias=False), esa=ESA(width, esa_hidden))


def detect_unbiased(shapes: Shapes, kernel: int) -> dict | None:
    """Read the sizes of a network of ``unbiased_block``; None if it is another network.

    Args:
        shapes: The shapes of a checkpoint.
        kernel: The size of conv_2 and of the upsampler's convolution: 1 in ASR, 3 in DIPNet.
    """
    ends = {size(shapes, key, 2, 3) for key in ("conv_2.weight", "upsampler.0.weight")}
    biased = "c1_r.bias" in block_keys(shapes)
    return detect_rlfb(shapes) if not biased and (1 in ends) == (kernel == 1) else None


def _detect(shapes: Shapes) -> dict | None:
    return detect_unbiased(shapes, kernel=1)


NETWORK = Network(
    name="asr",
    title="Residual Local Feature Network, kernels and biases pruned",
    paper="NTIRE 2024 efficient SR challenge report, team 17",
    build=ASR,
    detect=_detect,
)
