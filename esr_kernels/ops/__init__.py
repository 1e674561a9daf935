"""The hot paths of super-resolution networks as torch ops.

Each is a function here, an op in ``torch.ops.esr_kernels``, and a declaration in ``OPS``: it runs
on the best backend for its tensors, works under ``torch.compile``, and is differentiable. A file
per op holds its schema and, as ``reference``, its meaning in plain torch.
"""

import copyreg

from ..op import Op
from .channel_join import CHANNEL_JOIN, channel_join
from .channel_norm import CHANNEL_NORM, channel_norm
from .channel_part import CHANNEL_PART, channel_part
from .conv3x3_pixel_shuffle import CONV3X3_PIXEL_SHUFFLE, conv3x3_pixel_shuffle
from .conv_act import CONV_ACT, conv_act
from .depthwise_act import DEPTHWISE_ACT, depthwise_act
from .direct_conv_act import DIRECT_CONV_ACT, direct_conv_act
from .elementwise import ELEMENTWISE, elementwise
from .esa import ESA, esa
from .resample import RESAMPLE, resample
from .selective_scan import SELECTIVE_SCAN, selective_scan
from .spab import SPAB, spab
from .statistic import STATISTIC, statistic
from .strided_conv import STRIDED_CONV, strided_conv
from .window_max import WINDOW_MAX, window_max
from .window_variance import WINDOW_VARIANCE, window_variance

OPS = (
    *(CONV_ACT, DEPTHWISE_ACT, CONV3X3_PIXEL_SHUFFLE, SPAB, ESA, SELECTIVE_SCAN),
    *(ELEMENTWISE, CHANNEL_NORM, CHANNEL_PART, RESAMPLE, STATISTIC, WINDOW_MAX),
    *(CHANNEL_JOIN, STRIDED_CONV, DIRECT_CONV_ACT, WINDOW_VARIANCE),
)


def _named(name: str) -> Op:
    return next(op for op in OPS if op.name == name)


# A module that holds an op can be copied and pickled: the op stays the one object of its name.
copyreg.pickle(Op, lambda op: (_named, (op.name,)))

__all__ = [
    "CHANNEL_JOIN",
    "CHANNEL_NORM",
    "CHANNEL_PART",
    "CONV3X3_PIXEL_SHUFFLE",
    "CONV_ACT",
    "DEPTHWISE_ACT",
    "DIRECT_CONV_ACT",
    "ELEMENTWISE",
    "ESA",
    "OPS",
    "RESAMPLE",
    "SELECTIVE_SCAN",
    "SPAB",
    "STATISTIC",
    "STRIDED_CONV",
    "WINDOW_MAX",
    "WINDOW_VARIANCE",
    "channel_join",
    "channel_norm",
    "channel_part",
    "conv3x3_pixel_shuffle",
    "conv_act",
    "depthwise_act",
    "direct_conv_act",
    "elementwise",
    "esa",
    "resample",
    "selective_scan",
    "spab",
    "statistic",
    "strided_conv",
    "window_max",
    "window_variance",
]
