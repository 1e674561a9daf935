"""The hot paths of super-resolution networks as torch ops.

Each is a function here and an op in ``torch.ops.esr_kernels``: it runs on the best backend for its
tensors, works under ``torch.compile``, and is differentiable. A file per op holds its schema and,
as ``reference``, its meaning in plain torch.
"""

from .conv3x3_pixel_shuffle import conv3x3_pixel_shuffle
from .conv_act import conv_act
from .depthwise3x3_act import depthwise3x3_act
from .esa import esa
from .selective_scan import selective_scan
from .spab import spab

__all__ = [
    "conv3x3_pixel_shuffle",
    "conv_act",
    "depthwise3x3_act",
    "esa",
    "selective_scan",
    "spab",
]
