"""Stand-ins for tensors, and for numbers asked of them, while a module's code is followed."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch.fx import Node, Proxy

QUERY_METHODS = frozenset({"size", "dim", "ndimension", "numel"})
QUERY_ATTRIBUTES = frozenset({"shape", "ndim"})
# No methods: what they are can be recorded when they are read.
_PROPERTIES = frozenset({"shape", "dtype", "device", "is_cuda", "T", "mT", "layout"})
_ROUNDING = (math.ceil, math.floor, math.trunc, round)


class Untraceable(Exception):
    """A module's code does something that a graph cannot stand for; the text says what."""


class FixesFloat32(Untraceable):
    """It makes float32 of something: where all is in float32 that changes nothing."""


def is_size(node: Node) -> bool:
    """Return true for a number, or a tuple of some, that is computed from a tensor's shape."""
    if node.op == "call_method":
        return node.target in QUERY_METHODS
    if node.op != "call_function":
        return False
    if node.target is getattr:
        return node.args[1] in QUERY_ATTRIBUTES
    inputs = node.all_input_nodes
    arithmetic = node.target in vars(operator).values() or node.target in _ROUNDING
    arithmetic = arithmetic or isinstance(node.target, np.ufunc)
    return arithmetic and bool(inputs) and all(map(is_size, inputs))


class Value(Proxy):
    """A tensor of the graph, or what was asked of one.

    Its tracer knows what a number or a tuple is for the picture that answers the code's questions.
    """

    tracer: Any

    def __getattr__(self, name: str):
        if name == "data":  # the same memory, and there are no gradients
            return self
        if name == "ndim":
            return self.dim()
        if name in _PROPERTIES:
            return self.tracer.create_proxy("call_function", getattr, (self, name), {})
        return super().__getattr__(name)

    def __setattr__(self, name: str, value) -> None:
        if name not in ("node", "tracer"):
            raise Untraceable(f"it sets .{name} of a tensor")
        super().__setattr__(name, value)

    def dim(self):
        asked = self.tracer.create_proxy("call_method", "dim", (self,), {})
        return self.tracer.fixed(asked.node)

    def type(self, dtype=None, **kwargs):
        """The name of the kind of tensor, or a tensor of another dtype."""
        if dtype is not None:
            return self.tracer.create_proxy("call_method", "type", (self, dtype), kwargs)
        kind, device = (self.tracer.known(self._asked(name)) for name in ("dtype", "device"))
        return torch.empty((), dtype=kind, device=device).type()

    def _asked(self, name: str) -> Node:
        return self.tracer.create_proxy("call_function", getattr, (self, name), {}).node

    def __setitem__(self, index, value) -> None:
        self.tracer.create_proxy("call_function", operator.setitem, (self, index, value), {})

    def __len__(self) -> int:
        return len(self._numbers())

    def __iter__(self) -> Iterator:
        try:
            return iter([self[i] for i in range(len(self._numbers()))])
        except Untraceable:
            return super().__iter__()  # knows at least how many names are waiting

    def _numbers(self) -> tuple:
        known = self.tracer.known(self.node)
        if isinstance(known, torch.Tensor):
            raise Untraceable("it goes through a tensor one by one")
        return known

    def __index__(self) -> int:
        return self.tracer.fixed(self.node)

    def __int__(self) -> int:
        return int(self.tracer.fixed(self.node))

    def __float__(self) -> float:
        return float(self.tracer.fixed(self.node))

    def __ceil__(self):
        return self._rounded(math.ceil)

    def __floor__(self):
        return self._rounded(math.floor)

    def __trunc__(self):
        return self._rounded(math.trunc)

    def __round__(self, digits: int | None = None):
        return self._rounded(round, digits)

    def __array_ufunc__(self, function, method: str, *values, **options):
        """Numbers that code rounds with numpy."""
        if method != "__call__" or options:
            raise Untraceable(f"it calls numpy.{function.__name__}.{method}")
        return self.tracer.create_proxy("call_function", function, values, {})

    def _rounded(self, function: Callable, *digits):
        return self.tracer.create_proxy("call_function", function, (self, *digits), {})


def _in_place(name: str):
    def record(self, other):
        if is_size(self.node):  # a number: a += b makes a new one
            return getattr(operator, name)(self, other)
        function = getattr(operator, f"i{name}")
        return self.tracer.create_proxy("call_function", function, (self, other), {})

    return record


# Proxy knows no in-place operators, so Python would turn a += b into a = a + b, which is not the
# same for other names of a.
for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
    setattr(Value, f"__i{_name}__", _in_place(_name))


class Parameter(Value):
    """A parameter or buffer: its shape is known while tracing."""

    @property
    def shape(self) -> torch.Size:
        return self.node.meta["value"].shape

    @property
    def ndim(self) -> int:
        return self.node.meta["value"].ndim

    def size(self, *dim: int):
        return self.node.meta["value"].size(*dim)

    def dim(self) -> int:
        return self.ndim
