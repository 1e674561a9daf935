"""Backends: who computes an op, and how fused graphs are compiled.

Each backend implements the :class:`Backend` contract. :func:`choose` asks them from the fastest
down; ``reference``, an op's formula in plain torch, stands at the end and refuses nothing.
:func:`bind` lets one backend take a whole fused graph, so that what flows between its ops stays in
that backend's own layout.

``ESR_KERNELS_BACKEND=<name>`` allows that backend and ``reference`` only.
"""

from __future__ import annotations

import torch
from torch.fx import GraphModule

from ..op import called_op
from .choice import (
    REFERENCE,
    Choice,
    allowed,
    choose,
    describe,
    kernels,
    missing,
    only,
    recheck,
    usable,
)
from .contract import Backend, Compiled
from .lowering.casting import casting

__all__ = [
    "REFERENCE",
    "Backend",
    "Choice",
    "bind",
    "choose",
    "describe",
    "kernels",
    "missing",
    "only",
    "recheck",
    "usable",
]


def bind(
    graph: GraphModule,
    device: torch.device,
    dtype: torch.dtype,
    outer: torch.dtype | None = None,
) -> Compiled:
    """Compile a fused graph for ``device``.

    Args:
        graph: nodes that call ops or plain torch, and float64 constants.
        dtype: to compute in.
        outer: of the graph's inputs and results; ``dtype`` if None.

    Returns:
        A function of the graph's inputs, and for every op node the name of its backend. Nodes that
        no backend takes run in torch, with the constants cast once to ``dtype``.
    """
    ops = {op for node in graph.graph.nodes if (op := called_op(node))}
    for backend in allowed().values():
        if backend.graph_refusal(ops, device, dtype) is None:
            run, where = backend.compile_graph(graph.to(device=device), dtype, outer or dtype)
            return run, _dispatched(graph, device, dtype) | where
    run = casting(graph.to(device=device, dtype=dtype), dtype, outer or dtype)
    return run, _dispatched(graph, device, dtype)


def _dispatched(graph: GraphModule, device: torch.device, dtype: torch.dtype) -> dict[str, str]:
    """Backends of the nodes that are run one by one."""
    ops = {n.name: called_op(n) for n in graph.graph.nodes if n.op == "call_function"}
    return {n: choose(op, device, dtype).backend if op else REFERENCE for n, op in ops.items()}
