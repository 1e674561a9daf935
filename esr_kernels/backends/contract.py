"""The contract of a backend: the questions that it answers, and what each answer promises."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch.fx import GraphModule

from ..op import Op

#: The name under which an op's own formula, in plain torch, stands among the backends.
REFERENCE = "reference"


@dataclass(frozen=True)
class Assignment:
    """Who computes a node of a graph.

    ``call``: the name of the node of the compiled graph that does it; the nodes of one program have
    the same. ``backend``: None where the node is run by itself, on the one that ``choose`` gives.
    ``why``: of an op that is left to ``reference``, the reason.
    """

    call: str
    backend: str | None = None
    why: str = ""


@dataclass(frozen=True)
class Compiled:
    """A compiled graph.

    ``run``: a function of the graph's inputs, which calls ``graph``, the compiled nodes.
    ``assignments``: of the nodes that it was compiled from, by name. ``channels_last``: whether
    what torch computes in it was put in that memory format.
    """

    run: Callable
    graph: GraphModule
    assignments: Mapping[str, Assignment]
    channels_last: bool = False


class Backend(Protocol):
    """A module or object that computes ops on some devices.

    Every method may be called on any machine, whatever is missing there; none of them raises for
    that, and none compiles or touches a device before it is asked about one.
    """

    def refusal(self, op: Op, device: torch.device, dtype: torch.dtype) -> str | None:
        """Return None if this backend computes ``op`` there, else the reason why not.

        None promises a result within the tolerance rule for every argument that passes
        ``op.check``: shapes that are too large for a kernel are left to ``op.in_torch``.
        """

    def graph_refusal(
        self, ops: Collection[Op], device: torch.device, dtype: torch.dtype
    ) -> str | None:
        """Return None if this backend compiles a graph that calls these ops, else the reason.

        The graph may call ops that the backend does not compute: they run one by one.
        """

    def implementation(self, op: Op) -> Callable:
        """Return the function that takes the schema arguments of an op that is not refused.

        It takes ``out=`` too where the op has that form. Arguments are checked already.
        """

    def compile_graph(self, graph: GraphModule, dtype: torch.dtype, outer: torch.dtype) -> Compiled:
        """Compile a fused graph that computes in ``dtype``; see :func:`esr_kernels.backends.bind`.

        All nodes that call something have an assignment.
        """

    def kernels(self) -> list[tuple[str, str]]:
        """Return each compiled form of the kernels, and what it has passed so far."""

    def recheck(self) -> None:
        """Check all kernels on this machine's GPU anew; nothing where there are no such checks."""

    def describe(self) -> tuple[bool, str]:
        """Return whether the backend is available on this machine, and a sentence on its state."""
