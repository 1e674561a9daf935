"""Problems to compute: a plain torch module, its inputs, and the expected results."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from .limits import Work, count_work


@dataclass
class Problem:
    """A module in plain torch, folded, and its inputs. Results are computed once and kept.

    Attributes:
        name: The name in tables.
        module: The module.
        inputs: Its inputs, float32.
        ours: Makes the accelerated counterpart of the module.
        weights: The kind of weights: "official", "its own", or "seeded" if they are random.
        dtype: The results need the digits of plain torch in this dtype.
    """

    name: str
    module: nn.Module
    inputs: tuple[Tensor, ...]
    ours: Callable[[], nn.Module]
    weights: str = "seeded"
    dtype: torch.dtype = torch.float32

    @cached_property
    def plain(self) -> object:
        """The module's result in ``dtype``, as float32."""
        module = self.module if self.dtype == torch.float32 else copy.deepcopy(self.module)
        with torch.no_grad():
            result = module.to(self.dtype)(*(x.to(self.dtype) for x in self.inputs))
        return tree_map(lambda y: y.float(), result)

    @cached_property
    def exact(self) -> object:
        """The module's result in float64."""
        with torch.no_grad():
            return copy.deepcopy(self.module).double()(*(x.double() for x in self.inputs))

    @cached_property
    def work(self) -> Work:
        """The arithmetic and the memory traffic that every implementation needs."""
        return count_work(self.module, self.inputs)


class Op(nn.Module):
    """``function(inputs, *weights)`` as a module whose weights compilers may treat as constants."""

    def __init__(self, function: Callable, weights: tuple[Tensor, ...]):
        super().__init__()
        self.function = function
        self.weights = nn.ParameterList(nn.Parameter(w, requires_grad=False) for w in weights)

    def forward(self, *inputs: Tensor) -> object:
        return self.function(inputs, *self.weights)


def op_problem(
    name: str,
    bind: Callable[[Callable], Callable],
    functions: tuple[Callable, Callable],
    inputs: tuple[Tensor, ...],
    weights: tuple[Tensor, ...],
) -> Problem:
    """Make the problem of one op.

    Args:
        name: The name in tables.
        bind: ``bind(f)`` gives ``(inputs, *weights) -> result`` computed by ``f``.
        functions: The reference of the op and the op, which have the same arguments.
        inputs: The activations.
        weights: The weights.
    """
    reference, op = functions
    return Problem(name, Op(bind(reference), weights), inputs, lambda: Op(bind(op), weights))


def weights_of(*shapes: tuple[int, ...], seed: int = 0) -> tuple[Tensor, ...]:
    """Draw weight and bias for each ``(co, ci, k)``, scaled so that activations keep their size."""
    draw = torch.Generator().manual_seed(seed)
    made: list[Tensor] = []
    for co, ci, k in shapes:
        made.append(torch.randn(co, ci, k, k, generator=draw) * (1.5 / (ci * k * k)) ** 0.5)
        made.append(0.2 * torch.randn(co, generator=draw))
    return tuple(made)
