"""Attributes that a module sets in its forward, for whoever looks at them afterwards.

They are results like others, as long as the forward does not read what the last call has left.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

from torch import nn

from .values import Untraceable


class Unread:
    """Stands for what the last call has left; whatever is done with it is refused."""

    def _refuse(self, *_, **__):
        raise Untraceable("it reads an attribute that its last call has left")

    __getattr__ = __getitem__ = __iter__ = __len__ = __bool__ = __call__ = _refuse
    __add__ = __radd__ = __mul__ = __rmul__ = __sub__ = __rsub__ = __eq__ = __lt__ = _refuse
    __hash__ = None

    @classmethod
    def __torch_function__(cls, *_, **__):
        raise Untraceable("it reads an attribute that its last call has left")


def with_attributes(module: nn.Module, names: Iterable[str]) -> Callable:
    """The module as a function that returns the attributes as well, where there are any."""
    names = tuple(names)

    def run(*inputs: Any) -> Any:
        result = module(*inputs)
        return (result, [operator.attrgetter(name)(module) for name in names]) if names else result

    return run


def set_attributes(module: nn.Module, names: Iterable[str], values: Iterable[Any]) -> None:
    """Sets what the module's own forward would have set."""
    for name, value in zip(names, values, strict=True):
        path, _, attribute = name.rpartition(".")
        setattr(module.get_submodule(path), attribute, value)
