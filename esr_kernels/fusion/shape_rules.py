"""Shapes that follow from shapes by a plain rule.

Torch knows them too, on its device ``meta``, but for most functions by code in Python that takes a
hundred times as long, and imports its compiler first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ..ops import SELECTIVE_SCAN


def _as_first(x: Tensor, *_: Any, **__: Any) -> Sequence[int]:
    return x.shape


def _broadcast(x: Tensor, y: Any) -> Sequence[int]:
    return torch.broadcast_shapes(x.shape, y.shape) if isinstance(y, Tensor) else x.shape


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Sequence[int]:
    return (*x.shape[:-1], weight.shape[0])


def _mean(x: Tensor, *args: Any, **kwargs: Any) -> Sequence[int]:
    return x.sum(*args, **kwargs).shape  # that is no code in Python


def _cat(x: Tensor, tensors: Sequence[Tensor], dim: int = 0) -> Sequence[int]:
    shape = list(x.shape)
    shape[dim] = sum(each.shape[dim] for each in tensors)
    return shape


_AS_FIRST = (
    *("batch_norm", "layer_norm", "group_norm", "instance_norm", "normalize", "roll", "softmax"),
    *("abs", "neg", "sqrt", "rsqrt", "exp", "log", "square", "clamp", "sigmoid", "tanh"),
    *("relu", "relu6", "leaky_relu", "prelu", "gelu", "silu", "mish", "elu", "softplus"),
    *("hardtanh", "hardsigmoid", "hardswish", "dropout"),
)
_BROADCAST = (
    *("add", "sub", "mul", "div", "truediv", "radd", "rsub", "rmul", "rtruediv", "rdiv"),
    *("iadd", "isub", "imul", "itruediv", "idiv", "maximum", "minimum", "pow"),
)
#: By the name that functions, methods and operators share. Those that are given no tensor first
#: get the first of their list before it.
_RULES: dict[str, Callable[..., Sequence[int]]] = {
    **dict.fromkeys(_AS_FIRST, _as_first),
    **dict.fromkeys(_BROADCAST, _broadcast),
    **{"linear": _linear, "mean": _mean, "cat": _cat},
}


class ByRule(TorchFunctionMode):
    """While it lasts, functions of floating tensors that have a rule make empty ones on ``meta``.

    What is written in place is not: only shapes count.
    """

    def __torch_function__(
        self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        rule = _RULES.get(getattr(function, "__name__", "").strip("_"))
        if function is SELECTIVE_SCAN.reference:
            rule = _as_first
        if rule is None or not args:
            return function(*args, **kwargs)
        given = (args[0][0], *args) if rule is _cat else args
        if not isinstance(given[0], Tensor) or not given[0].is_floating_point():
            return function(*args, **kwargs)
        try:
            shape = rule(*given, **kwargs)
        except TypeError:  # arguments that the rule does not know
            return function(*args, **kwargs)
        return torch.empty(shape, dtype=given[0].dtype, device="meta")
