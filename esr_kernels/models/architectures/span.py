"""SPAN, the swift parameter-free attention network: winner of the challenge (teams 38 and 39)."""

import torch
from torch import Tensor, nn

from ..blocks import (
    RGB_MEAN,
    SPAB,
    check_picture,
    conv1x1,
    conv3x3,
    pixel_shuffle_upsampler,
    register_mean,
)
from ..network import Network, Shapes, Upscaler
from ..reparam import Conv3XC, named
from ..shapes import scale_and_channels, size, vote

BLOCKS = 6


class SPAN(Upscaler):
    """Swift Parameter-free Attention Network.

    ``z = (x - mean) * 255`` (or ``z = x`` with ``norm=False``), ``F0 = conv_1(z)``, six SPABs, then
    ``conv_cat(cat(F0, conv_2(F6), F1, t6))``, a 3x3 convolution and the pixel shuffle. F1 is the
    output of the first block, t6 the activated first hidden map of the sixth. The mean is not added
    back: the network gives pictures in [0, 1] directly.

    ``width``: channels of the trunk; 28 in the challenge (team 38, 150 688 parameters), 26 in team
    39's, 48 and 52 in published files. ``norm=False`` is the published ``no_norm`` variant, marked
    by a buffer of that name. ``training_form``: build every 3x3 of the trunk as ``Conv3XC``, the
    over-parameterised form for training; ``slim()`` merges it.

    Source: Wan et al., "Swift Parameter-free Attention Network for Efficient Super-Resolution",
    2023; NTIRE 2024 efficient SR report, section 4.1.
    """

    name = "span"
    block_1: SPAB

    def __init__(
        self,
        width: int = 48,
        *,
        scale: int = 4,
        in_channels: int = 3,
        out_channels: int = 3,
        norm: bool = True,
        training_form: bool = False,
    ):
        super().__init__(scale=scale, in_channels=in_channels, out_channels=out_channels)
        self.norm = norm
        self.training_form = training_form
        self._register_mean()
        convolution = Conv3XC if training_form else _merged
        self.conv_1 = convolution(in_channels, width)
        for i in range(1, BLOCKS + 1):
            self.add_module(f"block_{i}", SPAB(width, convolution))
        self.conv_cat = conv1x1(4 * width, width)
        self.conv_2 = convolution(width, width)
        self.upsampler = pixel_shuffle_upsampler(width, out_channels, scale)

    def _register_mean(self) -> None:
        if not self.norm:
            self.register_buffer("no_norm", torch.zeros(1))
        elif self.in_channels == len(RGB_MEAN):
            register_mean(self)
        else:
            raise ValueError(
                f"SPAN subtracts the mean of RGB pictures and so takes 3 channels, not "
                f"{self.in_channels}: other channel counts need norm=False (key 'no_norm')"
            )

    def forward(self, x: Tensor) -> Tensor:
        """``[N, Cin, H, W]`` in [0, 1] -> ``[N, Cout, scale*H, scale*W]``, not clamped.

        Any H, W from 1. Raises ``ValueError`` for a wrong rank, channel count or empty batch.
        """
        x = check_picture(x, self.in_channels, self.min_size)
        z = (x - self.mean) * 255 if self.norm else x
        first = self.conv_1(z)
        out_1, _ = self.block_1(first)
        features = out_1
        for i in range(2, BLOCKS + 1):
            features, hidden = getattr(self, f"block_{i}")(features)
        joined = torch.cat([first, self.conv_2(features), out_1, hidden], 1)
        return self.upsampler(self.conv_cat(joined))


def _merged(in_channels: int, out_channels: int) -> nn.Module:
    return named(Conv3XC.merged_name, conv3x3(in_channels, out_channels))


def _detect(shapes: Shapes) -> dict | None:
    slim_width = vote(shapes, r"block_\d\.c\d_r\.eval_conv\.weight", 0)
    training_width = vote(shapes, r"block_\d\.c\d_r\.sk\.weight", 0)
    width = training_width or slim_width
    if width is None:
        return None
    norm = "no_norm" not in shapes
    first = "conv_1.sk.weight" if training_width else "conv_1.eval_conv.weight"
    in_channels = len(RGB_MEAN) if norm else size(shapes, first, 1, 3)
    scale, out_channels = scale_and_channels(shapes, "upsampler.0.weight", in_channels)
    return {
        "width": width,
        "scale": scale,
        "in_channels": in_channels,
        "out_channels": out_channels,
        "norm": norm,
        "training_form": training_width is not None,
    }


NETWORK = Network(
    name="span",
    title="Swift Parameter-free Attention Network",
    paper='Wan et al., "Swift Parameter-free Attention Network for Efficient Super-Resolution", '
    "2023",
    build=SPAN,
    detect=_detect,
)
