"""Building blocks of networks: readable implementations with the official parameter names."""

from .channel_attention import ContrastAttention, SqueezeExcitation
from .channel_norm import ChannelLayerNorm, PixelLayerNorm
from .check import check_picture
from .convolution import (
    BSConv,
    conv1x1,
    conv3x3,
    depthwise,
    mirrored_bsconv,
    pixel_shuffle_upsampler,
    same_padding,
)
from .cosine_attention import CosineAttention, shift_mask
from .cross_attention import ChannelCrossAttention
from .distillation import Distillation
from .element_scale import ElementScale
from .esa import ESA, ESA_MIN_SIZE, DeepESA
from .fourier_attention import FourierAttention
from .gated_ffn import GatedFFN
from .gated_window_attention import GatedWindowAttention, WindowAttention
from .heads import merge_heads, split_heads
from .hierarchical import HierarchicalConv
from .involution import Involution
from .mamba import Mamba
from .mlp import MLP
from .multi_head import MultiHeadESA
from .ngram import NGramContext
from .overlap import average_windows, overlapping_windows, window_starts
from .padding import pad_to_multiple
from .partial import partial_conv
from .residual import ContrastResidual, Residual
from .rgb import RGB_MEAN, bilinear, register_mean
from .rlfb import RLFB, RLFB_SLOPE, rlfb_layers
from .safm import SAFM, SAFM_MIN_SIZE, shrink
from .spab import SPAB
from .srwab import SRWAB
from .variance_attention import Level, VarianceAttention, local_variance
from .windowed_channel_attention import WindowedChannelAttention
from .windows import from_windows, windows

__all__ = [
    "ESA",
    "ESA_MIN_SIZE",
    "MLP",
    "RGB_MEAN",
    "RLFB",
    "RLFB_SLOPE",
    "SAFM",
    "SAFM_MIN_SIZE",
    "SPAB",
    "SRWAB",
    "BSConv",
    "ChannelCrossAttention",
    "ChannelLayerNorm",
    "ContrastAttention",
    "ContrastResidual",
    "CosineAttention",
    "DeepESA",
    "Distillation",
    "ElementScale",
    "FourierAttention",
    "GatedFFN",
    "GatedWindowAttention",
    "HierarchicalConv",
    "Involution",
    "Level",
    "Mamba",
    "MultiHeadESA",
    "NGramContext",
    "PixelLayerNorm",
    "Residual",
    "SqueezeExcitation",
    "VarianceAttention",
    "WindowAttention",
    "WindowedChannelAttention",
    "average_windows",
    "bilinear",
    "check_picture",
    "conv1x1",
    "conv3x3",
    "depthwise",
    "from_windows",
    "local_variance",
    "merge_heads",
    "mirrored_bsconv",
    "overlapping_windows",
    "pad_to_multiple",
    "partial_conv",
    "pixel_shuffle_upsampler",
    "register_mean",
    "rlfb_layers",
    "same_padding",
    "shift_mask",
    "shrink",
    "split_heads",
    "window_starts",
    "windows",
]
