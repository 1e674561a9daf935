"""The rewrites, in the order in which they are made. Each takes a normalised graph and changes it
in place; each keeps what the graph computes, so any of them can be left out."""

from .activation import fuse_activation
from .channel_join import fuse_channel_join
from .channel_norm import fuse_channel_norm
from .channel_part import fuse_channel_part
from .concat import elide_concat
from .depthwise_act import fuse_separable
from .elementwise import fuse_elementwise
from .esa import fuse_esa
from .linear import merge_linear
from .resample import fuse_resample
from .residual import fuse_gate, fuse_residual
from .scale import fold_scale
from .selective_scan import fuse_selective_scan
from .spab import fuse_spab
from .statistic import fuse_statistic
from .strided_conv import fuse_strided_conv
from .tail import fuse_tail
from .tokens import fuse_tokens
from .window_max import fuse_window_max
from .window_variance import fuse_window_variance

PASSES = (
    fuse_tokens,  # first: what works on tokens becomes what the others know
    fuse_channel_norm,  # before scales are folded: it has one
    fold_scale,
    fuse_esa,  # before residual sums are taken into convolutions: ESA has one inside
    fuse_activation,
    fuse_gate,
    fuse_spab,
    fuse_tail,
    fuse_selective_scan,
    elide_concat,
    merge_linear,
    fuse_residual,
    fuse_separable,  # after merge_linear, which makes one convolution of a 3x3 and a 1x1
    fuse_channel_part,
    fuse_resample,  # after ESA and the tail, which have some inside
    fuse_window_max,
    fuse_window_variance,
    fuse_channel_join,
    fuse_strided_conv,
    fuse_statistic,
    fuse_elementwise,  # last: what no other op takes in
)
