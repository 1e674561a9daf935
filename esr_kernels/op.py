"""The declaration of an op: all that the package asks about one, in one object.

``ops`` declares one :class:`Op` per file. Fused graphs call it, backends are chosen for it, and
tests, fallbacks and checks run its plain-torch ``reference``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.fx import Node

#: ``draw(*shape)``: a float64 tensor on the CPU, uniform in [-1/2, 1/2).
Draw = Callable[..., Tensor]


@dataclass(frozen=True, eq=False)
class Op:
    """An op of ``torch.ops.esr_kernels``. Calling it calls the op.

    All functions take the arguments of the schema, in its order. Those that take *shapes* find
    tuples of ints in the place of tensors.

    Attributes:
        name: in torch's namespace ``esr_kernels``, and in every file that implements the op.
        target: the op as torch knows it, from schema arguments to fresh tensors.
        arguments: names of the schema's arguments.
        results: number of tensors that it returns.
        activations: the arguments that flow through a network; the other tensors are weights. The
            first decides device, dtype, memory format and resolution.
        check: raises ValueError or TypeError for arguments that do not fit.
        reference: the formula in plain torch, differentiable.
        in_torch: ``reference`` with results in the memory format of the first activation.
        flops: takes shapes; floating-point operations, 2 per multiply-add.
        reach: takes shapes; how many pixels the op looks to each side, and how many times larger
            its result is. None: it sees the whole picture, or works on no pictures.
        detail: takes shapes; a phrase for ``explain``.
        examples: takes ``draw``; lists of arguments that together reach every path of a kernel.
    """

    name: str
    target: torch._ops.OpOverload
    arguments: tuple[str, ...]
    results: int
    activations: tuple[str, ...]
    check: Callable[..., None]
    reference: Callable[..., Any]
    in_torch: Callable[..., Any]
    flops: Callable[..., int]
    reach: Callable[..., tuple[int, int] | None]
    detail: Callable[..., str]
    examples: Callable[[Draw], Sequence[tuple]]

    def __call__(self, *args: Any) -> Any:
        return self.target(*args)

    @property
    def __name__(self) -> str:  # torch.fx names calls after it
        return self.name

    def out(self, *args: Any, out: Tensor) -> None:
        """Write the one result into ``out``."""
        getattr(torch.ops.esr_kernels, self.name).out(*args, out=out)

    def map_activations(self, args: Sequence, f: Callable[[Any], Any]) -> tuple:
        """Replace each activation among ``args`` by ``f`` of it; None stays, a list is a tuple."""

        def mapped(name: str, value: Any) -> Any:
            if name not in self.activations or value is None:
                return value
            return tuple(map(f, value)) if isinstance(value, (list, tuple)) else f(value)

        return tuple(map(mapped, self.arguments, args))

    def activations_of(self, args: Sequence) -> list:
        """Activations among ``args``, in order."""
        found: list = []
        self.map_activations(args, found.append)
        return found

    def example_arguments(self) -> list[tuple]:
        """``examples`` with numbers that are the same at every call."""
        generator = torch.Generator("cpu").manual_seed(0)

        def draw(*shape: int) -> Tensor:
            # On the CPU, whatever torch's default device is.
            x = torch.rand(shape, generator=generator, dtype=torch.float64, device="cpu")
            return x - 0.5

        return list(self.examples(draw))


def called_op(node: Any) -> Op | None:
    """The op that a node of a fused graph calls, None for anything else."""
    if isinstance(node, Node) and node.op == "call_function" and isinstance(node.target, Op):
        return node.target
    return None


def is_result(node: Node) -> bool:
    """Return true for an element of the tuple that an op returns; a slice of a tensor is none."""
    if node.op != "call_function" or node.target is not operator.getitem:
        return False
    op = called_op(node.args[0])
    return op is not None and op.results > 1
