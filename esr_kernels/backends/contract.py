"""The contract of a backend: the questions that it answers, and what each answer promises."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

import torch
from torch.fx import GraphModule

from ..op import Op

#: A compiled graph, and for each node that a backend computes, by name, that backend's name.
Compiled = tuple[Callable, dict[str, str]]


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

        Nodes that are missing in the returned dict are run one by one, each on the backend that
        :func:`choose` gives it.
        """

    def kernels(self) -> list[tuple[str, str]]:
        """Return each compiled form of the kernels, and what it has passed so far."""

    def recheck(self) -> None:
        """Check all kernels on this machine's GPU anew; nothing where there are no such checks."""

    def describe(self) -> tuple[bool, str]:
        """Return whether the backend is available on this machine, and a sentence on its state."""
