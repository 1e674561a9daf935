"""Convolutions as nearly every network of the challenge uses them: zero padding that keeps H, W."""

from torch import nn


def conv3x3(in_channels: int, out_channels: int) -> nn.Conv2d:
    """3x3, stride 1, zero padding 1, with bias: ``[N, Ci, H, W] -> [N, Co, H, W]``."""
    return nn.Conv2d(in_channels, out_channels, 3, padding=1)


def conv1x1(in_channels: int, out_channels: int) -> nn.Conv2d:
    """1x1 with bias: ``[N, Ci, H, W] -> [N, Co, H, W]``."""
    return nn.Conv2d(in_channels, out_channels, 1)


def pixel_shuffle_upsampler(in_channels: int, out_channels: int, scale: int) -> nn.Sequential:
    """conv3x3 to ``out_channels * scale**2`` maps, then pixel shuffle (keys ``0.weight, 0.bias``).

    ``[N, Ci, H, W] -> [N, Co, scale*H, scale*W]`` with
    ``out[n, c, s*y + i, s*x + j] = conv[n, s*s*c + s*i + j, y, x]``.
    """
    return nn.Sequential(conv3x3(in_channels, out_channels * scale * scale), nn.PixelShuffle(scale))
