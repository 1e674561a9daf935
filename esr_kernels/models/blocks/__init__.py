"""The parts networks are built from: one readable implementation each, official parameter names."""

from .channel_norm import ChannelLayerNorm
from .check import check_picture
from .conv3xc import Conv3XC, MergedConv3XC, merge_conv3xc
from .convolution import BSConv, conv1x1, conv3x3, depthwise, pixel_shuffle_upsampler
from .esa import ESA, ESA_MIN_SIZE, DeepESA
from .gated_ffn import GatedFFN
from .rgb import RGB_MEAN, bilinear, register_mean
from .rlfb import RLFB
from .spab import SPAB

__all__ = [
    "ESA",
    "ESA_MIN_SIZE",
    "RGB_MEAN",
    "RLFB",
    "SPAB",
    "BSConv",
    "ChannelLayerNorm",
    "Conv3XC",
    "DeepESA",
    "GatedFFN",
    "MergedConv3XC",
    "bilinear",
    "check_picture",
    "conv1x1",
    "conv3x3",
    "depthwise",
    "merge_conv3xc",
    "pixel_shuffle_upsampler",
    "register_mean",
]
