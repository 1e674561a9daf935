"""RLFN, the residual local feature network: the challenge's baseline (team 00)."""

from torch import Tensor

from .blocks import ESA_MIN_SIZE, RLFB, check_picture, conv3x3, pixel_shuffle_upsampler
from .network import Network, Shapes, Upscaler
from .shapes import blocks, scale_and_channels, size, vote


class RLFN(Upscaler):
    """Residual Local Feature Network.

    ``F0 = conv_1(x)``, then ``blocks`` times RLFB, ``L = conv_2(F) + F0``, and the output is the
    pixel shuffle of a last 3x3 convolution of L.

    ``width``: channels of the trunk; ``mid``: channels between the convolutions of a block;
    ``esa_hidden``: channels of the attention's small map. ``data_range``: the range the weights
    were trained in; x is multiplied by it and the output divided. The challenge's network is
    ``RLFN(46, mid=48)``: 317 218 parameters.

    Source: Kong et al., "Residual Local Feature Network for Efficient Super-Resolution", 2022;
    NTIRE 2024 efficient SR report, section 2.2.
    """

    name = "rlfn"
    min_size = ESA_MIN_SIZE

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
            scale=scale, in_channels=in_channels, out_channels=out_channels, data_range=data_range
        )
        self.blocks = blocks
        self.conv_1 = conv3x3(in_channels, width)
        for i in range(1, blocks + 1):
            self.add_module(f"block_{i}", RLFB(width, mid, esa_hidden))
        self.conv_2 = conv3x3(width, width)
        self.upsampler = pixel_shuffle_upsampler(width, out_channels, scale)

    def forward(self, x: Tensor) -> Tensor:
        """``[N, Cin, H, W]`` in [0, 1] -> ``[N, Cout, scale*H, scale*W]``, not clamped.

        Raises ``ValueError`` for H or W below 15 and for a wrong rank or channel count.
        """
        x = check_picture(x, self.in_channels, self.min_size)
        first = self.conv_1(x * self.data_range)
        features = first
        for i in range(1, self.blocks + 1):
            features = getattr(self, f"block_{i}")(features)
        return self.upsampler(self.conv_2(features) + first) / self.data_range


def _detect(shapes: Shapes) -> dict | None:
    width = vote(shapes, r"block_\d+\.c5\.weight", 0)
    mid = vote(shapes, r"block_\d+\.c2_r\.weight", 0)
    esa_hidden = vote(shapes, r"block_\d+\.esa\.conv_f\.weight", 0)
    if width is None or mid is None or esa_hidden is None:
        return None
    if (width, mid) == (36, 48):
        # LightRLFN (team 16) has the same keys, but adds the enlarged input: it is no RLFN.
        return None
    in_channels = size(shapes, "conv_1.weight", 1, 3)
    scale, out_channels = scale_and_channels(shapes, "upsampler.0.weight", in_channels)
    return {
        "width": width,
        "mid": mid,
        "blocks": blocks(shapes, r"block_(\d+)\."),
        "esa_hidden": esa_hidden,
        "scale": scale,
        "in_channels": in_channels,
        "out_channels": out_channels,
    }


NETWORK = Network(
    name="rlfn",
    title="Residual Local Feature Network",
    paper='Kong et al., "Residual Local Feature Network for Efficient Super-Resolution", 2022',
    build=RLFN,
    detect=_detect,
)
