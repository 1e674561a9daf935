"""Replacement of a module instance's forward, and its removal.

``nn.Module.__call__`` looks ``forward`` up on the instance first, so one entry in the instance's
``__dict__`` replaces the computation while class, parameters, ``state_dict`` and hooks stay.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from types import CodeType, MethodType

from torch import nn


class Replacement:
    """A ``forward`` that stands in for the module's own.

    ``module``: whose forward it replaces. ``previous``: what the instance's ``__dict__`` held under
    that name before (another tool's wrapper), or None where the class's method was used.
    """

    def __init__(self, module: nn.Module, previous: Callable | None):
        self.module = module
        self.previous = previous

    def __reduce_ex__(self, protocol) -> tuple:
        # What is pickled is the plain module: it loads where this package is missing. There, the
        # class's own method takes this place.
        if self.previous is not None:
            return partial, (self.previous,)
        return getattr, (self.module, "forward")

    def __deepcopy__(self, memo: dict) -> Replacement:
        twin = copy.copy(self)
        memo[id(self)] = twin
        twin.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        return twin

    def __copy__(self) -> Replacement:
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        return twin

    def __getstate__(self) -> dict:
        """Return the attributes that a copy is made of."""
        return dict(self.__dict__)

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)

    @property
    def __globals__(self) -> dict:
        # Asked by torch.jit.script, of what it is about to compile.
        raise TypeError(
            f"torch.jit.script cannot compile {type(self.module).__name__} while it is "
            "accelerated: call esr_kernels.restore(model) first"
        )

    @property
    def __wrapped__(self) -> Callable:
        # The name that inspect.signature follows: exporters ask forward for its parameters.
        return self.previous or MethodType(type(self.module).forward, self.module)

    @property
    def __code__(self) -> CodeType:
        return self.__wrapped__.__code__  # torch.export reads the parameters' names here

    def original(self, *args, **kwargs):
        """The module's forward without the replacement."""
        if self.previous is not None:
            return self.previous(*args, **kwargs)
        return type(self.module).forward(self.module, *args, **kwargs)


def installed(module: nn.Module) -> Replacement | None:
    """The replacement on this instance (not on its submodules), if there is one."""
    forward = module.__dict__.get("forward")
    return forward if isinstance(forward, Replacement) else None


def install(replacement: Replacement) -> None:
    """Puts it on its module."""
    replacement.module.__dict__["forward"] = replacement


def uninstall(module: nn.Module) -> None:
    """Takes the replacements off the module and all its submodules; does nothing without any."""
    for part in module.modules():
        replacement = installed(part)
        if replacement is None:
            continue
        del part.__dict__["forward"]
        if replacement.previous is not None:
            part.__dict__["forward"] = replacement.previous
