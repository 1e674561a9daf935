"""The parts networks are built from: one readable implementation each, official parameter names."""

from .check import check_picture
from .conv3xc import Conv3XC, MergedConv3XC, merge_conv3xc
from .convolution import conv1x1, conv3x3, pixel_shuffle_upsampler
from .esa import ESA
from .rlfb import RLFB
from .spab import SPAB

__all__ = [
    "ESA",
    "RLFB",
    "SPAB",
    "Conv3XC",
    "MergedConv3XC",
    "check_picture",
    "conv1x1",
    "conv3x3",
    "merge_conv3xc",
    "pixel_shuffle_upsampler",
]
