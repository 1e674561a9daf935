"""Answers of the words of ``canonical.py`` and ``arithmetic.py``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch.fx import Node


@dataclass(frozen=True)
class Call:
    """``target(*args)``; ``in_place``: written over the first argument. Tensors in ``args`` become
    constants, and calls nodes before it."""

    target: Callable
    args: tuple
    in_place: bool = False


@dataclass(frozen=True)
class Same:
    """The result is this node."""

    node: Node
