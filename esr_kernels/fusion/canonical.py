"""The spellings that are understood, and the canonical call each of them stands for.

A *word* takes the arguments of the spelling and returns a ``Call``, ``Same(x)`` where the result is
the argument, or None where the arguments make it something else. A ``TypeError`` from a word means
the same as None. Those of ``arithmetic.py`` are here too.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.fx import Node

from ..op import Op
from ..ops import DEPTHWISE_ACT, OPS, WINDOW_MAX
from . import arithmetic
from .calls import Call, Same
from .graph import Depthwise, spread_of

#: Channels of a strided depthwise convolution that is computed at every pixel.
_FEW = 16


def _pair(v: Any) -> Any:
    if isinstance(v, list | tuple):
        return tuple(v) * (2 if len(v) == 1 else 1)
    return v if isinstance(v, str) else (v, v)


def _conv(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    pairs = (_pair(stride), _pair(padding), _pair(dilation))
    return Call(torch.conv2d, (x, weight, bias, *pairs, groups))


def _cat(tensors, dim=0, axis=None):
    dim = dim if axis is None else axis
    return Call(torch.cat, (list(tensors), 1)) if dim in (1, -3) else None


def _pixel_shuffle(x, upscale_factor):
    return Call(torch.pixel_shuffle, (x, upscale_factor))


def _max_pool(
    x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    if return_indices:
        return None
    stride = kernel_size if stride in (None, [], ()) else stride
    pairs = (_pair(v) for v in (kernel_size, stride, padding, dilation))
    return Call(torch.max_pool2d, (x, *pairs, ceil_mode))


def _interpolate(
    x,
    size=None,
    scale_factor=None,
    mode="nearest",
    align_corners=None,
    recompute_scale_factor=None,
    antialias=False,
):
    if recompute_scale_factor or antialias:
        return None
    return Call(F.interpolate, (x, size, scale_factor, mode, align_corners))


def _dropout(x, p=0.5, training=True, inplace=False):
    return None if training else Same(x)


def _cast(x, *like, **kwargs):
    # The whole graph runs in one dtype on one device, so only a fixed other one has a meaning.
    fixed = (torch.dtype, torch.device, str)
    return None if any(isinstance(a, fixed) for a in (*like, *kwargs.values())) else Same(x)


def _same(x, *_, **__):
    return Same(x)


def _op(op: Op) -> Callable:
    """A network's own call of an op; its weights must be constants, as those of fused ones are."""

    def word(*args):
        named = zip(op.arguments, args, strict=True)
        weights = [a for name, a in named if name not in op.activations and isinstance(a, Node)]
        return None if any("value" not in w.meta for w in weights) else Call(op, args)

    return word


CASTS = frozenset({"to", "type_as", "detach"})
FIXED_CASTS = frozenset({"float", "half", "double", "bfloat16", "cpu", "cuda", "int", "long"})


def is_cast_to_float32(node: Node) -> bool:
    """Return true for ``x.float()`` and ``x.to(torch.float32)``."""
    to = (*node.args[1:], *node.kwargs.values())
    kept = node.kwargs.keys() <= {"dtype"}
    return node.target == "float" or (node.target == "to" and to == (torch.float32,) and kept)


METHODS: dict[str, Callable] = {
    **arithmetic.METHODS,
    "to": _cast,
    "type_as": _same,
    "detach": _same,
}

FUNCTIONS: dict[Any, Callable] = {
    **arithmetic.FUNCTIONS,
    **arithmetic.IN_PLACE,
    F.conv2d: _conv,
    torch.cat: _cat,
    torch.concat: _cat,
    torch.concatenate: _cat,
    F.pixel_shuffle: _pixel_shuffle,
    F.max_pool2d: _max_pool,
    torch.max_pool2d: _max_pool,
    F.interpolate: _interpolate,
    F.upsample: _interpolate,
    F.dropout: _dropout,
}

for _each in OPS:  # by both of the names that torch gives an op
    FUNCTIONS[_each.target] = FUNCTIONS[_each.target.overloadpacket] = _op(_each)


def _conv_module(m: nn.Conv2d) -> Callable:
    if m.padding_mode == "reflect":
        return lambda x: _reflected(x, m)
    if m.padding_mode != "zeros":
        return lambda x: None
    shape = (m.stride, m.padding, m.dilation, m.groups)
    return lambda x: _conv(x, m.weight, m.bias, *shape)


def _reflected(x: Node, m: nn.Conv2d) -> Call | None:
    """An op takes depthwise ones."""
    spread = spread_of(m.weight, m.padding, m.dilation)
    if spread is None or m.groups < 2 or m.weight.shape[:2] != (m.groups, 1):
        return None
    conv = Depthwise((x,), m.weight, m.bias, dilation=spread, padding_mode="reflect")
    return depthwise(conv, m.groups, m.stride)


def depthwise(conv: Depthwise, channels: int, stride: tuple[int, int]) -> Call | None:
    """A depthwise convolution that keeps the size, and every so many pixels of it.

    Of a few channels, as attentions have them, it costs less at every pixel than the way out of a
    program and back. Windows of one pixel then pick some of them.
    """
    call = Call(DEPTHWISE_ACT, conv.args)
    if stride == (1, 1):
        return call
    picks = stride[0] == stride[1] and channels <= _FEW
    return Call(WINDOW_MAX, (call, 1, stride[0], 0)) if picks else None


def _transposed_module(m: nn.ConvTranspose2d) -> Callable:
    """As a function, so that its weights may lie as torch's part likes them."""
    if m.padding_mode != "zeros":
        return lambda x: None
    shape = (m.stride, m.padding, m.output_padding, m.groups, m.dilation)
    return lambda x: Call(F.conv_transpose2d, (x, m.weight, m.bias, *shape))


def _batch_norm_module(m: nn.BatchNorm2d) -> Callable:
    """A factor and an offset of each channel, where the statistics are those of training."""
    if m.running_mean is None or m.running_var is None:
        return lambda x: None
    factor = (m.running_var + m.eps).rsqrt()
    factor = factor if m.weight is None else factor * m.weight
    offset = -factor * m.running_mean
    offset = offset if m.bias is None else offset + m.bias
    factor, offset = (v.view(1, -1, 1, 1) for v in (factor, offset))
    return lambda x: Call(operator.add, (Call(operator.mul, (x, factor)), offset))


def _dropout_module(m: nn.Module) -> Callable:
    return lambda x: _dropout(x, m.p, m.training)


def _upsample_module(m: nn.Upsample) -> Callable:
    return lambda x: _interpolate(x, m.size, m.scale_factor, m.mode, m.align_corners)


def _layer_norm_module(m: nn.LayerNorm) -> Callable:
    return lambda x: Call(F.layer_norm, (x, m.normalized_shape, m.weight, m.bias, m.eps))


def _linear_module(m: nn.Linear) -> Callable:
    return lambda x: Call(F.linear, (x, m.weight, m.bias))


def _max_pool_module(m: nn.MaxPool2d) -> Callable:
    shape = (m.kernel_size, m.stride, m.padding, m.dilation, m.ceil_mode, m.return_indices)
    return lambda x: _max_pool(x, *shape)


MODULES: dict[type, Callable] = {
    **arithmetic.MODULES,
    nn.Conv2d: _conv_module,
    nn.ConvTranspose2d: _transposed_module,
    nn.BatchNorm2d: _batch_norm_module,
    nn.Identity: lambda m: _same,
    nn.AdaptiveAvgPool2d: lambda m: lambda x: Call(F.adaptive_avg_pool2d, (x, m.output_size)),
    nn.Flatten: lambda m: lambda x: Call(torch.flatten, (x, m.start_dim, m.end_dim)),
    nn.LayerNorm: _layer_norm_module,
    nn.Linear: _linear_module,
    nn.Dropout: _dropout_module,
    nn.Dropout2d: _dropout_module,
    nn.PixelShuffle: lambda m: lambda x: _pixel_shuffle(x, m.upscale_factor),
    nn.MaxPool2d: _max_pool_module,
    nn.Upsample: _upsample_module,
    nn.UpsamplingNearest2d: _upsample_module,
}
