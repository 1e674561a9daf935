"""RLFN, the residual local feature network: the challenge's baseline (team 00)."""

from ..backbones.residual_backbone import ResidualBackbone, block_keys, detect_rlfb, numbered
from ..blocks import ESA, RLFB, conv1x1, rlfb_layers
from ..network import Network, Shapes
from ..shapes import scale_and_channels, size


class RLFN(ResidualBackbone):
    """Residual Local Feature Network.

    ``F0 = conv_1(x)``, then ``blocks`` times RLFB, ``L = conv_2(F) + F0``, and the output is the
    pixel shuffle of a last 3x3 convolution of L.

    The challenge's network is ``RLFN(46, mid=48)``: 317 218 parameters.

    Args:
        width: Channels of the backbone.
        mid: Channels between the convolutions of a block.
        esa_hidden: Channels inside ESA.
        data_range: The range that the weights were trained in; x is multiplied by it and the output
            divided by it.

    Source: Kong et al., "Residual Local Feature Network for Efficient Super-Resolution", 2022;
    NTIRE 2024 efficient SR report, section 2.2.
    """

    name = "rlfn"

    def __init__(
        self,
        width: int = 46,
        *,
        mid: int = 48,
        blocks: int = 4,
        esa_hidden: int = 16,
        scale: int = 4,
        in_channels: int = 3,
        out_channels: int = 3,
        data_range: float = 255.0,
    ):
        super().__init__(
            width,
            numbered(plain_block(width, mid, esa_hidden) for _ in range(blocks)),
            scale=scale,
            in_channels=in_channels,
            out_channels=out_channels,
            data_range=data_range,
        )


def plain_block(width: int, mid: int, esa_hidden: int) -> RLFB:
    """RLFN's block: 3x3 convolutions, a 1x1 and ESA, all with biases."""
    layers = rlfb_layers(width, mid)
    return RLFB(layers, c5=conv1x1(width, width), esa=ESA(width, esa_hidden))


def detect_plain(shapes: Shapes) -> dict | None:
    """Read the sizes of a network of ``plain_block`` alone, RLFN or LightRLFN; None if another."""
    keys = block_keys(shapes)
    relatives = {"bn1.weight", "c2_r.0.weight", "c4_r.weight", "project_in.weight"}
    return detect_rlfb(shapes) if "c1_r.bias" in keys and not relatives & keys else None


def _detect(shapes: Shapes) -> dict | None:
    found = detect_plain(shapes)
    if found is None or (found["width"], found["mid"]) == (36, 48):
        # LightRLFN (team 16) has the same keys, but adds the upscaled input: it is no RLFN.
        return None
    in_channels = size(shapes, "conv_1.weight", 1, 3)
    scale, out_channels = scale_and_channels(shapes, "upsampler.0.weight", in_channels)
    return found | {"scale": scale, "in_channels": in_channels, "out_channels": out_channels}


NETWORK = Network(
    name="rlfn",
    title="Residual Local Feature Network",
    paper='Kong et al., "Residual Local Feature Network for Efficient Super-Resolution", 2022',
    build=RLFN,
    detect=_detect,
)
