"""The parts networks are built from: one readable implementation each, official parameter names."""

from .channel_attention import ContrastAttention, SqueezeExcitation
from .channel_norm import ChannelLayerNorm, PixelLayerNorm
from .check import check_picture
from .convolution import BSConv, conv1x1, conv3x3, depthwise, pixel_shuffle_upsampler
from .cosine_attention import CosineAttention, shift_mask
from .cross_attention import ChannelCrossAttention
from .distillation import Distillation
from .element_scale import ElementScale
from .esa import ESA, ESA_MIN_SIZE, DeepESA
from .fourier_attention import FourierAttention
from .gated_ffn import GatedFFN
from .heads import merge_heads, split_heads
from .involution import Involution
from .mamba import Mamba
from .mlp import MLP
from .multi_head import MultiHeadESA
from .ngram import NGramContext
from .padding import pad_to_multiple
from .partial import partial_conv
from .rgb import RGB_MEAN, bilinear, register_mean
from .rlfb import RLFB
from .safm import SAFM, SAFM_MIN_SIZE, shrink
from .selective_scan import selective_scan
from .spab import SPAB
from .srwab import SRWAB
from .windows import from_windows, windows

__all__ = [
    "ESA",
    "ESA_MIN_SIZE",
    "MLP",
    "RGB_MEAN",
    "RLFB",
    "SAFM",
    "SAFM_MIN_SIZE",
    "SPAB",
    "SRWAB",
    "BSConv",
    "ChannelCrossAttention",
    "ChannelLayerNorm",
    "ContrastAttention",
    "CosineAttention",
    "DeepESA",
    "Distillation",
    "ElementScale",
    "FourierAttention",
    "GatedFFN",
    "Involution",
    "Mamba",
    "MultiHeadESA",
    "NGramContext",
    "PixelLayerNorm",
    "SqueezeExcitation",
    "bilinear",
    "check_picture",
    "conv1x1",
    "conv3x3",
    "depthwise",
    "from_windows",
    "merge_heads",
    "pad_to_multiple",
    "partial_conv",
    "pixel_shuffle_upsampler",
    "register_mean",
    "selective_scan",
    "shift_mask",
    "shrink",
    "split_heads",
    "windows",
]
