"""What is computed: a plain torch module with its inputs, and what the result has to be."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from .limits import Work, count_work


@dataclass
class Problem:
    """A module in plain torch, folded, and its inputs; results are computed once and kept.

    ``ours`` makes the accelerated counterpart of the module. ``weights`` says in the table what
    they are: "official", or "seeded" where they were drawn.
    """

    name: str
    module: nn.Module
    inputs: tuple[Tensor, ...]
    ours: Callable[[], nn.Module]
    weights: str = "seeded"

    @cached_property
    def plain(self) -> object:
        """The module's result, float32."""
        with torch.no_grad():
            return self.module(*self.inputs)

    @cached_property
    def exact(self) -> object:
        """The same in float64."""
        with torch.no_grad():
            return copy.deepcopy(self.module).double()(*(x.double() for x in self.inputs))

    @cached_property
    def work(self) -> Work:
        """What any implementation has to compute and to move."""
        return count_work(self.module, self.inputs)


class Op(nn.Module):
    """``function(inputs, *weights)`` as a module, whose weights compilers may take for constant."""

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
    """The problem of one op.

    ``functions``: the op's reference and the op itself, which take the same schema arguments;
    ``bind(f)`` gives ``(inputs, *weights) -> result`` through either of them.
    """
    reference, op = functions
    return Problem(name, Op(bind(reference), weights), inputs, lambda: Op(bind(op), weights))


def weights_of(*shapes: tuple[int, ...], seed: int = 0) -> tuple[Tensor, ...]:
    """Weight and bias for each ``(co, ci, k)``, so large that maps keep their size."""
    draw = torch.Generator().manual_seed(seed)
    made: list[Tensor] = []
    for co, ci, k in shapes:
        made.append(torch.randn(co, ci, k, k, generator=draw) * (1.5 / (ci * k * k)) ** 0.5)
        made.append(0.2 * torch.randn(co, generator=draw))
    return tuple(made)
