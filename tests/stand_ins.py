"""Modules that packages import for parts which no test uses."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager

_TORCHVISION = (
    *("torchvision", "torchvision.ops", "torchvision.ops.misc", "torchvision.models"),
    *("torchvision.models._api", "torchvision.models.vgg", "torchvision.transforms"),
    "torchvision.transforms.functional",
)


class _StandIn(types.ModuleType):
    """A module, or anything else, that has every name one may import from it."""

    __path__ = ()

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        return _StandIn(name)


@contextmanager
def some_torchvision() -> Iterator[None]:
    """torchvision, or where that is missing or built for another torch, a stand-in for it."""
    stand_ins = {} if _imports("torchvision") else {name: _StandIn(name) for name in _TORCHVISION}
    sys.modules.update(stand_ins)
    yield
    for name in stand_ins:
        del sys.modules[name]


def _imports(module: str) -> bool:
    try:
        importlib.import_module(module)
    except (ImportError, RuntimeError):
        return False
    return True
