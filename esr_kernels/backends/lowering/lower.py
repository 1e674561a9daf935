"""Lowering of ops to steps: one function per op, common to all backends with programs.

Each takes a builder and the op's schema arguments with values in the place of activations, and
returns the op's results. A backend that has a step for more of an op replaces its entry.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...formula import simplest
from .program import Builder, Shuffled

#: Channels of a group from which on Winograd's transforms and copies cost less than they save.
WINOGRAD_LEAST = 16
MAX_GROUPS = 8  # that are joined again


def conv_act(b: Builder, inputs, weight, bias, act, slope, residual) -> int:
    return b.conv(inputs, weight, bias, act, slope, residual)


def depthwise_act(
    b: Builder, x, weight, bias, act, slope, residual, pointwise, pointwise_bias, *taps
) -> int:
    if pointwise is not None:
        x = b.conv([x], pointwise, pointwise_bias)
    return b.depthwise(x, weight, bias, act, slope, residual, *taps)


def direct_conv_act(
    b: Builder, inputs, weight, bias, act, slope, residual, dilation, groups
) -> int:
    fewest = min(weight.shape[1], weight.shape[0] // groups)
    fits = weight.shape[2:] == (3, 3) and dilation == 1 < groups <= MAX_GROUPS
    if fits and fewest >= WINOGRAD_LEAST:
        return _in_groups(b, inputs, weight, bias, act, slope, residual, groups)
    return b.direct_conv(inputs, weight, bias, act, slope, residual, dilation, groups)


def _in_groups(b: Builder, inputs, weight, bias, act, slope, residual, groups) -> int:
    """Groups that are large enough for the fast 3x3 convolution, each by itself."""
    x = b.join(inputs) if len(inputs) > 1 else inputs[0]
    weights = weight.chunk(groups)
    biases = [None] * groups if bias is None else bias.chunk(groups)
    read, made = weight.shape[1], weight.shape[0] // groups

    def group(i: int) -> int:
        added = None if residual is None else b.part(residual, i * made, made)
        return b.conv([b.part(x, i * read, read)], weights[i], biases[i], act, slope, added)

    return b.join([group(i) for i in range(groups)])


def spab(b: Builder, x, w1, b1, w2, b2, w3, b3) -> tuple[int, int]:
    t = b.conv([x], w1, b1, "silu")
    v = b.conv([t], w2, b2, "silu")
    return b.conv([v], w3, b3, "span_gate", residual=x), t


def esa(b: Builder, x, w1, b1, w_f, b_f, w2, b2, w3, b3, w4, b4) -> int:
    a = b.conv([x], w1, b1)
    small = b.max_pool(b.strided_conv(a, w2, b2), kernel=7, stride=3)
    e = b.resample(b.conv([small], w3, b3), "bilinear", like=x)
    return b.conv([a, e], *_after(w_f, b_f, w4, b4), "gate", residual=x)


def _after(first, first_bias, second, second_bias) -> tuple[Tensor, Tensor | None]:
    """The 1x1 convolution of [a, e] that is ``second(first(a) + e)``."""
    outer = second.flatten(1).double()
    weight = torch.cat([outer @ first.flatten(1).double(), outer], dim=1)[..., None, None]
    if first_bias is None:
        return weight, second_bias
    bias = outer @ first_bias.double()
    return weight, bias if second_bias is None else bias + second_bias


def conv3x3_pixel_shuffle(b: Builder, x, weight, bias, upscale_factor, skip) -> Shuffled:
    return Shuffled(b.conv([x], weight, bias), upscale_factor, skip)


def elementwise(b: Builder, inputs, formula, constants) -> int:
    return b.formula(inputs, simplest(formula), constants)


def channel_norm(b: Builder, x, weight, bias, eps, kind) -> int:
    return b.channel_norm(x, weight, bias, eps, kind)


def channel_join(b: Builder, inputs) -> int:
    return b.join(inputs)


def channel_part(b: Builder, x, first, count) -> int:
    return b.part(x, first, count)


def resample(b: Builder, x, like, factor, mode) -> int:
    return b.resample(x, mode, like, factor)


def statistic(b: Builder, x, measure, correction) -> int:
    return b.statistic(x, measure, correction)


def strided_conv(b: Builder, x, weight, bias, padding) -> int:
    return b.strided_conv(x, weight, bias, padding)


def window_max(b: Builder, x, kernel, stride, padding) -> int:
    return b.max_pool(x, kernel, stride, padding) if kernel else b.adaptive_max_pool(x, stride)


def window_variance(b: Builder, x, kernel, stride, padding) -> int:
    return b.window_variance(x, kernel, stride, padding)


#: Ops that programs of every device have.
COMMON = {f.__name__: f for f in (conv_act, spab, esa, conv3x3_pixel_shuffle)}
_FILTERS = depthwise_act, direct_conv_act
_POINTWISE = elementwise, channel_norm, channel_part, channel_join
_RESIZING = resample, statistic, strided_conv, window_max, window_variance
LOWER = COMMON | {f.__name__: f for f in (*_FILTERS, *_POINTWISE, *_RESIZING)}
