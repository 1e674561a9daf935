"""The spellings that are understood, and the canonical call each of them stands for.

A *word* takes the arguments of the spelling and returns a ``Call``, ``Same(x)`` where the result is
the argument, or None where the arguments make it something else. A ``TypeError`` from a word means
the same as None.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.fx import Node

from ..op import Op
from ..ops import OPS


@dataclass(frozen=True)
class Call:
    """``target(*args)``; ``in_place``: written over the first argument. Tensors in ``args`` become
    constants."""

    target: Callable
    args: tuple
    in_place: bool = False


@dataclass(frozen=True)
class Same:
    """The result is this node."""

    node: Node


def _pair(v: Any) -> Any:
    if isinstance(v, list | tuple):
        return tuple(v) * (2 if len(v) == 1 else 1)
    return v if isinstance(v, str) else (v, v)


def _conv(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    pairs = (_pair(stride), _pair(padding), _pair(dilation))
    return Call(torch.conv2d, (x, weight, bias, *pairs, groups))


def _relu(x, inplace=False):
    return Call(F.relu, (x,), inplace)


def _leaky_relu(x, negative_slope=0.01, inplace=False):
    return Call(F.leaky_relu, (x, float(negative_slope)), inplace)


def _silu(x, inplace=False):
    return Call(F.silu, (x,), inplace)


def _gelu(x, approximate="none"):
    return Call(F.gelu, (x,)) if approximate == "none" else None


def _sigmoid(x):
    return Call(torch.sigmoid, (x,))


def _prelu(x, weight):
    slopes = weight.meta.get("value") if isinstance(weight, Node) else weight
    if slopes is not None and slopes.numel() == 1:
        return Call(F.leaky_relu, (x, float(slopes)))
    return Call(F.prelu, (x, weight))


def _arithmetic(function: Callable) -> Callable:
    def word(a, b, *, alpha=1, rounding_mode=None):
        return Call(function, (a, b)) if alpha == 1 and rounding_mode is None else None

    return word


def _mul(a, b):
    for x, gate in ((a, b), (b, a)):
        written_out = isinstance(gate, Node) and gate.target is torch.sigmoid and gate.args[0] is x
        if written_out and len(gate.users) == 1:
            return Call(F.silu, (x,))
    return Call(operator.mul, (a, b))


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

METHODS: dict[str, Callable] = {
    "relu": _relu,
    "sigmoid": _sigmoid,
    "add": _arithmetic(operator.add),
    "sub": _arithmetic(operator.sub),
    "mul": _mul,
    "multiply": _mul,
    "div": _arithmetic(operator.truediv),
    "true_divide": _arithmetic(operator.truediv),
    "to": _cast,
    "type_as": _same,
    "detach": _same,
}

FUNCTIONS: dict[Any, Callable] = {
    F.conv2d: _conv,
    F.relu: _relu,
    torch.relu: _relu,
    F.leaky_relu: _leaky_relu,
    F.silu: _silu,
    F.gelu: _gelu,
    F.sigmoid: _sigmoid,
    torch.sigmoid: _sigmoid,
    F.prelu: _prelu,
    torch.prelu: _prelu,
    operator.add: _arithmetic(operator.add),
    torch.add: _arithmetic(operator.add),
    operator.sub: _arithmetic(operator.sub),
    torch.sub: _arithmetic(operator.sub),
    operator.mul: _mul,
    torch.mul: _mul,
    operator.truediv: _arithmetic(operator.truediv),
    torch.div: _arithmetic(operator.truediv),
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

# In place: whether they may become new values, normalise.py decides.
_IN_PLACE: dict[Any, Callable] = {
    operator.iadd: _arithmetic(operator.add),
    operator.isub: _arithmetic(operator.sub),
    operator.imul: _mul,
    operator.itruediv: _arithmetic(operator.truediv),
    torch.relu_: _relu,
    F.relu_: _relu,
    F.leaky_relu_: _leaky_relu,
}
FUNCTIONS.update(_IN_PLACE)
for _each in OPS:  # by both of the names that torch gives an op
    FUNCTIONS[_each.target] = FUNCTIONS[_each.target.overloadpacket] = _op(_each)


def _conv_module(m: nn.Conv2d) -> Callable:
    if m.padding_mode != "zeros":
        return lambda x: None
    shape = (m.stride, m.padding, m.dilation, m.groups)
    return lambda x: _conv(x, m.weight, m.bias, *shape)


def _dropout_module(m: nn.Module) -> Callable:
    return lambda x: _dropout(x, m.p, m.training)


def _upsample_module(m: nn.Upsample) -> Callable:
    return lambda x: _interpolate(x, m.size, m.scale_factor, m.mode, m.align_corners)


def _max_pool_module(m: nn.MaxPool2d) -> Callable:
    shape = (m.kernel_size, m.stride, m.padding, m.dilation, m.ceil_mode, m.return_indices)
    return lambda x: _max_pool(x, *shape)


MODULES: dict[type, Callable] = {
    nn.Conv2d: _conv_module,
    nn.ReLU: lambda m: lambda x: _relu(x, m.inplace),
    nn.LeakyReLU: lambda m: lambda x: _leaky_relu(x, m.negative_slope, m.inplace),
    nn.SiLU: lambda m: lambda x: _silu(x, m.inplace),
    nn.GELU: lambda m: lambda x: _gelu(x, m.approximate),
    nn.PReLU: lambda m: lambda x: _prelu(x, m.weight),
    nn.Sigmoid: lambda m: _sigmoid,
    nn.Identity: lambda m: _same,
    nn.Dropout: _dropout_module,
    nn.Dropout2d: _dropout_module,
    nn.PixelShuffle: lambda m: lambda x: _pixel_shuffle(x, m.upscale_factor),
    nn.MaxPool2d: _max_pool_module,
    nn.Upsample: _upsample_module,
    nn.UpsamplingNearest2d: _upsample_module,
}
