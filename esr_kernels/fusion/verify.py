"""Proof by trial: a rewritten graph runs beside the original and is refused if they disagree.

Look-alike networks differ in small ways, so no match is taken on trust. Both sides run in float64
on a small random picture, where rounding is far below any real difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Graph
from torch.utils._pytree import tree_flatten

from .graph import duplicate, execute
from .pictures import copied

#: Share of the largest value. Rounding in float64 stays below 1e-11 in the networks measured; those
#: whose code fails in float64 are compared in float32.
TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-4}
Pass = Callable[[Graph], None]


class Rude:
    """The modules of a graph, of which those that may write do so, over all that they are given.

    A rewrite that moves a reader past such a module is found out then, whatever the module does on
    the test picture. ``paths``: of the modules that may write.
    """

    def __init__(self, modules: nn.Module, paths: Iterable[str]):
        self._modules, self._paths = modules, frozenset(paths)

    def get_submodule(self, path: str) -> Callable:
        """As that of ``nn.Module``."""
        module = self._modules.get_submodule(path)
        if path not in self._paths:
            return module

        def rude(*args, **kwargs):
            result = module(*args, **kwargs)
            for tensor in tree_flatten((args, kwargs))[0]:
                if isinstance(tensor, Tensor) and tensor.is_floating_point():
                    with suppress(RuntimeError):  # several of its elements are one in memory
                        tensor.mul_(-0.75).add_(0.125)
            return result

        return rude


def agree(ours: Any, original: Any) -> bool:
    """Return true if two results, tensors or nests of them, are equal but for rounding.

    A graph has lists and tuples of its own in the place of others.
    """
    ours, theirs = tree_flatten(ours)[0], tree_flatten(original)[0]
    return len(ours) == len(theirs) and all(map(_close, ours, theirs))


def _close(ours: Any, original: Any) -> bool:
    if not (isinstance(ours, Tensor) and isinstance(original, Tensor)):
        return type(ours) is type(original) and bool(ours == original)
    if ours.shape != original.shape or not bool(original.isfinite().all()):
        return False
    limit = TOLERANCE.get(original.dtype, 0) * original.abs().max() if original.numel() else 0
    return original.numel() == 0 or bool((ours - original).abs().max() <= limit)


def rewrite(
    graph: Graph, passes: Iterable[Pass], modules: Rude, inputs: tuple[Tensor, ...]
) -> tuple[Graph, list[str]]:
    """Applies the passes that keep what the graph computes for ``inputs``.

    Returns the new graph and the names of the passes left out; ``graph`` itself stays as it is.
    """
    passes = list(passes)
    expected = execute(graph, modules, *copied(inputs))
    whole = _applied(graph, passes)
    if _holds(whole, modules, inputs, expected):
        return whole, []
    kept: list[Pass] = []
    for one in passes:
        if _holds(_applied(graph, [*kept, one]), modules, inputs, expected):
            kept.append(one)
    return _applied(graph, kept), [p.__name__ for p in passes if p not in kept]


def _applied(graph: Graph, passes: list[Pass]) -> Graph:
    twin = duplicate(graph)
    for one in passes:
        one(twin)
    return twin


def _holds(graph: Graph, modules: Rude, inputs: tuple[Tensor, ...], expected: Any) -> bool:
    try:
        return agree(execute(graph, modules, *copied(inputs)), expected)
    except (RuntimeError, ValueError, TypeError):  # what an op says to arguments that do not fit
        return False
