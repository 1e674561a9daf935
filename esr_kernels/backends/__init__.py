"""Backends: who computes an op, and how fused graphs are compiled.

Each backend implements the :class:`Backend` contract. :func:`choose` asks them from the fastest
down; ``reference``, an op's formula in plain torch, stands at the end and refuses nothing.
:func:`bind` lets one backend take a whole fused graph, so that what flows between its ops stays in
that backend's own layout.

``ESR_KERNELS_BACKEND=<name>`` allows that backend and ``reference`` only.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch.fx import GraphModule

from ..op import Op, called_op
from .choice import (
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
from .contract import REFERENCE, Assignment, Backend, Compiled
from .lowering.casting import casting

__all__ = [
    "REFERENCE",
    "Assignment",
    "Backend",
    "Choice",
    "Compiled",
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
        The compiled graph, with a backend for every node. Nodes that no backend takes run in torch,
        with the constants cast once to ``dtype``.
    """
    ops = {node.name: op for node in graph.graph.nodes if (op := called_op(node))}
    compiled = _compiled(graph, set(ops.values()), device, dtype, outer or dtype)
    assignments = {
        name: _settled(assignment, ops.get(name), device, dtype)
        for name, assignment in compiled.assignments.items()
    }
    return replace(compiled, assignments=assignments)


def _compiled(
    graph: GraphModule, ops: set[Op], device: torch.device, dtype: torch.dtype, outer: torch.dtype
) -> Compiled:
    for backend in allowed().values():
        if backend.graph_refusal(ops, device, dtype) is None:
            return backend.compile_graph(graph.to(device=device), dtype, outer)
    as_it_is = {node.name: Assignment(node.name) for node in graph.graph.nodes}
    bound = graph.to(device=device, dtype=dtype)
    return Compiled(casting(bound, dtype, outer), bound, as_it_is)


def _settled(
    assignment: Assignment, op: Op | None, device: torch.device, dtype: torch.dtype
) -> Assignment:
    """With the backend of a node that is run by itself."""
    if assignment.backend is not None:
        return assignment
    if op is None:
        return replace(assignment, backend=REFERENCE)
    choice = choose(op, device, dtype)
    why = choice.why(device) if choice.backend == REFERENCE else ""
    return replace(assignment, backend=choice.backend, why=why)
