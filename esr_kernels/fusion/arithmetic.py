"""The spellings of arithmetic and activations; ``canonical.py`` says what a word is.

Each has a canonical function, which :data:`FORMULA_WORDS` gives the name that formulas have for it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.fx import Node

from .calls import Call


def gelu_tanh(x: Tensor) -> Tensor:
    """torch's approximation of GELU."""
    return F.gelu(x, approximate="tanh")


#: Canonical function -> its name in formulas; their arguments are the operands there, but for
#: ``torch.clamp``, of which a bound may be None.
FORMULA_WORDS: dict[Callable, str] = {
    operator.add: "add",
    operator.sub: "sub",
    operator.mul: "mul",
    operator.truediv: "div",
    torch.minimum: "min",
    torch.maximum: "max",
    torch.clamp: "clamp",
    torch.addcmul: "addcmul",
    F.prelu: "prelu",
    F.leaky_relu: "prelu",
    F.elu: "elu",
    torch.abs: "abs",
    torch.neg: "neg",
    torch.square: "square",
    torch.sqrt: "sqrt",
    torch.rsqrt: "rsqrt",
    torch.exp: "exp",
    torch.log: "log",
    torch.sigmoid: "sigmoid",
    torch.tanh: "tanh",
    F.softplus: "softplus",
    F.relu: "relu",
    F.silu: "silu",
    F.mish: "mish",
    F.gelu: "gelu",
    gelu_tanh: "gelu_tanh",
    F.hardsigmoid: "hardsigmoid",
    F.hardswish: "hardswish",
}


def _number(v: Any) -> bool:
    return isinstance(v, int | float) and not isinstance(v, bool)


def _of_one(function: Callable) -> Callable:
    def word(x, inplace=False):
        return Call(function, (x,), inplace)

    return word


def _of_two(function: Callable) -> Callable:
    def word(a, b, *, alpha=1, rounding_mode=None):
        return Call(function, (a, b)) if alpha == 1 and rounding_mode is None else None

    return word


def _mul(a, b):
    for x, gate in ((a, b), (b, a)):
        written_out = isinstance(gate, Node) and gate.target is torch.sigmoid and gate.args[0] is x
        if written_out and len(gate.users) == 1:
            return Call(F.silu, (x,))
    return Call(operator.mul, (a, b))


def _leaky_relu(x, negative_slope=0.01, inplace=False):
    return Call(F.leaky_relu, (x, float(negative_slope)), inplace)


def _prelu(x, weight):
    slopes = weight.meta.get("value") if isinstance(weight, Node) else weight
    if slopes is not None and slopes.numel() == 1:
        return Call(F.leaky_relu, (x, float(slopes)))
    return Call(F.prelu, (x, weight))


def _elu(x, alpha=1.0, inplace=False):
    return Call(F.elu, (x, float(alpha)), inplace)


def _gelu(x, approximate="none"):
    return Call(F.gelu if approximate == "none" else gelu_tanh, (x,))


def _softplus(x, beta=1.0, threshold=20.0):
    # Beyond the threshold torch gives x, which is closer to it than verification sees.
    return Call(F.softplus, (x,)) if beta == 1 and threshold >= 20 else None


def _clamp(x, min=None, max=None, inplace=False):
    bounds = min, max
    if bounds == (None, None) or not all(b is None or _number(b) for b in bounds):
        return None
    return Call(torch.clamp, (x, *bounds), inplace)


def _hardtanh(x, min_val=-1.0, max_val=1.0, inplace=False):
    return _clamp(x, min_val, max_val, inplace)


def _relu6(x, inplace=False):
    return _clamp(x, 0, 6, inplace)


def _extreme(function: Callable, bound: str) -> Callable:
    def word(a, b):
        return _clamp(a, **{bound: b}) if _number(b) else Call(function, (a, b))

    return word


_POWERS = {2: torch.square, 0.5: torch.sqrt, -0.5: torch.rsqrt}


def _pow(x, exponent):
    function = _POWERS.get(exponent) if _number(exponent) else None
    return Call(function, (x,)) if function else None


#: By the name that functions and methods share.
_WORDS: dict[str, Callable] = {
    "add": _of_two(operator.add),
    "sub": _of_two(operator.sub),
    "subtract": _of_two(operator.sub),
    "mul": _mul,
    "multiply": _mul,
    "div": _of_two(operator.truediv),
    "true_divide": _of_two(operator.truediv),
    "minimum": _extreme(torch.minimum, "max"),
    "maximum": _extreme(torch.maximum, "min"),
    "clamp": _clamp,
    "clip": _clamp,
    "pow": _pow,
    "prelu": _prelu,
    **{name: _of_one(getattr(torch, name)) for name in ("abs", "neg", "square", "sqrt", "rsqrt")},
    **{name: _of_one(getattr(torch, name)) for name in ("exp", "log", "sigmoid", "tanh")},
    "relu": _of_one(F.relu),
}
METHODS = _WORDS | {
    "clamp_min": lambda x, min: _clamp(x, min),
    "clamp_max": lambda x, max: _clamp(x, None, max),
}
_ACTIVATIONS: dict[str, Callable] = {
    "relu": _of_one(F.relu),
    "leaky_relu": _leaky_relu,
    "prelu": _prelu,
    "elu": _elu,
    "silu": _of_one(F.silu),
    "mish": _of_one(F.mish),
    "gelu": _gelu,
    "hardsigmoid": _of_one(F.hardsigmoid),
    "hardswish": _of_one(F.hardswish),
    "hardtanh": _hardtanh,
    "relu6": _relu6,
    "softplus": _softplus,
    "sigmoid": _of_one(torch.sigmoid),
    "tanh": _of_one(torch.tanh),
}
FUNCTIONS: dict[Any, Callable] = {
    **{getattr(torch, name): word for name, word in _WORDS.items()},
    **{getattr(F, name): word for name, word in _ACTIVATIONS.items()},
    operator.add: _of_two(operator.add),
    operator.sub: _of_two(operator.sub),
    operator.mul: _mul,
    operator.truediv: _of_two(operator.truediv),
    operator.neg: _of_one(torch.neg),
    operator.pow: _pow,
    operator.abs: _of_one(torch.abs),
}
IN_PLACE: dict[Any, Callable] = {
    operator.iadd: _of_two(operator.add),
    operator.isub: _of_two(operator.sub),
    operator.imul: _mul,
    operator.itruediv: _of_two(operator.truediv),
    torch.relu_: _of_one(F.relu),
    F.relu_: _of_one(F.relu),
    F.leaky_relu_: _leaky_relu,
    torch.clamp_: _clamp,
}
MODULES: dict[type, Callable] = {
    nn.ReLU: lambda m: lambda x: Call(F.relu, (x,), m.inplace),
    nn.LeakyReLU: lambda m: lambda x: _leaky_relu(x, m.negative_slope, m.inplace),
    nn.PReLU: lambda m: lambda x: _prelu(x, m.weight),
    nn.ELU: lambda m: lambda x: _elu(x, m.alpha, m.inplace),
    nn.SiLU: lambda m: lambda x: Call(F.silu, (x,), m.inplace),
    nn.Mish: lambda m: lambda x: Call(F.mish, (x,), m.inplace),
    nn.GELU: lambda m: lambda x: _gelu(x, m.approximate),
    nn.Hardsigmoid: lambda m: lambda x: Call(F.hardsigmoid, (x,), m.inplace),
    nn.Hardswish: lambda m: lambda x: Call(F.hardswish, (x,), m.inplace),
    nn.Hardtanh: lambda m: lambda x: _hardtanh(x, m.min_val, m.max_val, m.inplace),
    nn.ReLU6: lambda m: lambda x: _relu6(x, m.inplace),
    nn.Softplus: lambda m: lambda x: _softplus(x, m.beta, m.threshold),
    nn.Sigmoid: lambda m: _of_one(torch.sigmoid),
    nn.Tanh: lambda m: _of_one(torch.tanh),
}
