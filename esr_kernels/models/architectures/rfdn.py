"""RFDN, the residual feature distillation network (team 30)."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..blocks import (
    ESA_MIN_SIZE,
    DeepESA,
    Distillation,
    check_picture,
    conv1x1,
    conv3x3,
    pixel_shuffle_upsampler,
)
from ..network import Network, Shapes, Upscaler
from ..shapes import blocks, scale_and_channels, size, vote

SLOPE = 0.05


class RFDN(Upscaler):
    """Residual Feature Distillation Network.

    ``F0 = fea_conv(x)``, then ``blocks`` times RFDB, ``L = LR_conv(lrelu(c(cat(F1, F2, ...)))) +
    F0`` with a 1x1 convolution c and slope 0.05, and the output is the pixel shuffle of a last 3x3
    convolution of L.

    The challenge's network is ``RFDN()``: 433 448 parameters.

    Args:
        width: Channels of the backbone, half of them distilled.
        esa_hidden: Channels inside ESA.
        data_range: The range that the weights were trained in; x is multiplied by it and the output
            divided by it.

    Source: Liu et al., "Residual Feature Distillation Network for Lightweight Image
    Super-Resolution", 2020; NTIRE 2024 efficient SR report, team 30.
    """

    name = "rfdn"
    min_size = ESA_MIN_SIZE

    def __init__(
        self,
        width: int = 50,
        *,
        blocks: int = 4,
        esa_hidden: int = 12,
        scale: int = 4,
        in_channels: int = 3,
        out_channels: int = 3,
        data_range: float = 255.0,
    ):
        super().__init__(
            scale=scale, in_channels=in_channels, out_channels=out_channels, data_range=data_range
        )
        self.blocks = blocks
        self.fea_conv = conv3x3(in_channels, width)
        for i in range(1, blocks + 1):
            self.add_module(f"B{i}", RFDB(width, esa_hidden))
        self.c = nn.Sequential(conv1x1(blocks * width, width), nn.LeakyReLU(SLOPE))
        self.LR_conv = conv3x3(width, width)
        self.upsampler = pixel_shuffle_upsampler(width, out_channels, scale)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, Cin, H, W]`` in [0, 1] to ``[N, Cout, scale*H, scale*W]``, not clamped.

        Raises:
            ValueError: H or W is below 15, or the rank or channel count is wrong.
        """
        x = check_picture(x, self.in_channels, self.min_size)
        first = self.fea_conv(x * self.data_range)
        features = [first]
        for i in range(1, self.blocks + 1):
            features.append(getattr(self, f"B{i}")(features[-1]))
        joined = self.c(torch.cat(features[1:], 1))
        return self.upsampler(self.LR_conv(joined) + first) / self.data_range


class RFDB(Distillation):
    """Residual feature distillation block: ``esa`` of ``Distillation`` with 3x3 convolutions.

    Source: Liu et al., 2020 (RFDN).
    """

    def __init__(self, width: int, esa_hidden: int):
        super().__init__(
            width,
            refine=[conv3x3(width, width) for _ in range(3)],
            last=conv3x3(width, width // 2),
            act=partial(F.leaky_relu, negative_slope=SLOPE),
        )
        self.esa = DeepESA(width, esa_hidden)

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, width, H, W]`` to the same shape."""
        return self.esa(super().forward(u))


def _detect(shapes: Shapes) -> dict | None:
    width = vote(shapes, r"B\d+\.c\d_r\.weight", 0)
    esa_hidden = vote(shapes, r"B\d+\.esa\.conv(_max|3_)\.weight", 0)
    if width is None or esa_hidden is None:
        return None
    in_channels = size(shapes, "fea_conv.weight", 1, 3)
    scale, out_channels = scale_and_channels(shapes, "upsampler.0.weight", in_channels)
    return {
        "width": width,
        "blocks": blocks(shapes, r"B(\d+)\."),
        "esa_hidden": esa_hidden,
        "scale": scale,
        "in_channels": in_channels,
        "out_channels": out_channels,
    }


NETWORK = Network(
    name="rfdn",
    title="Residual Feature Distillation Network",
    paper='Liu et al., "Residual Feature Distillation Network for Lightweight Image '
    'Super-Resolution", 2020',
    build=RFDN,
    detect=_detect,
)
