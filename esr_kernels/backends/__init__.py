"""Which implementation computes an op, and why the others do not.

Every backend answers one question, ``refusal(op, device, dtype)``: ``None`` when it computes the op
there, else the reason why not, as a sentence. :func:`choose` asks them from the fastest down;
``reference`` stands at the end and refuses nothing. A backend may also take a whole fused graph
(:func:`bind`), so that what flows between its ops stays in its own layout.

``ESR_KERNELS_BACKEND=<name>`` allows that backend and ``reference`` only, and so does
:func:`only` for a while.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import ModuleType

import torch

from . import cpu, cuda, triton
from .lowering.casting import casting
from .node import op_name

_BACKENDS: dict[str, ModuleType] = {"cpu": cpu, "cuda": cuda, "triton": triton}
REFERENCE = "reference"
#: Kind of device -> the backends that are made for it.
_HOME = {"cpu": ("cpu",), "cuda": ("cuda", "triton")}
_only: ContextVar[str] = ContextVar("_only", default="")

#: Op -> its plain-torch formula, entered by the ops as they are defined. A backend that claims an
#: op leaves to it the shapes on which torch is faster.
references: dict[str, Callable] = {}


@dataclass(frozen=True)
class Choice:
    """The backend of one op: its name, its function, and why faster ones refused.

    ``run`` takes the op's schema arguments; it is ``None`` for ``reference``, whose function is the
    op's own plain-torch formula.
    """

    backend: str
    run: Callable | None
    refusals: tuple[tuple[str, str], ...]


def _allowed() -> dict[str, ModuleType]:
    wanted = _only.get() or os.environ.get("ESR_KERNELS_BACKEND", "")
    if not wanted:
        return _BACKENDS
    if wanted == REFERENCE:
        return {}
    if wanted not in _BACKENDS:
        known = ", ".join([*_BACKENDS, REFERENCE])
        raise ValueError(f"ESR_KERNELS_BACKEND={wanted!r} is no backend; use one of: {known}")
    return {wanted: _BACKENDS[wanted]}


@contextmanager
def only(name: str) -> Iterator[None]:
    """Within it, ``name`` is what ``ESR_KERNELS_BACKEND`` says, for this thread.

    Both what is accelerated there and what runs there: a fused graph that no backend takes whole
    asks again at every call.
    """
    token = _only.set(name)
    try:
        yield
    finally:
        _only.reset(token)


def usable(device: torch.device) -> list[str]:
    """Names of the backends that take a fused float32 graph there, fastest first."""
    names = [
        name
        for name, backend in _allowed().items()
        if backend.refusal("graph", device, torch.float32) is None
    ]
    return [*names, REFERENCE]


def choose(op: str, device: torch.device, dtype: torch.dtype) -> Choice:
    """Picks the backend that computes ``op`` on tensors of this device and dtype.

    Args:
        op: the op's name, for example ``"spab"``.
        device: where its tensors are.
        dtype: of its activations and weights.

    Raises:
        ValueError: ``ESR_KERNELS_BACKEND`` names no backend.
    """
    refusals = []
    for name, backend in _allowed().items():
        reason = backend.refusal(op, device, dtype)
        if reason is None:
            return Choice(name, backend.implementation(op), tuple(refusals))
        refusals.append((name, reason))
    return Choice(REFERENCE, None, tuple(refusals))


def bind(
    graph: torch.fx.GraphModule,
    device: torch.device,
    dtype: torch.dtype,
    outer: torch.dtype | None = None,
) -> tuple[Callable, dict[str, str]]:
    """Compiles a fused graph for ``device``.

    Args:
        graph: nodes that call ``torch.ops.esr_kernels``, plain torch, and float64 constants.
        dtype: to compute in.
        outer: of the graph's inputs and results; ``dtype`` if None.

    Returns:
        A function of the graph's inputs, and for every op node the name of its backend. Nodes that
        no backend takes run in torch, with the constants cast once to ``dtype``.
    """
    for backend in _allowed().values():
        if backend.refusal("graph", device, dtype) is None:
            run, where = backend.compile_graph(graph.to(device=device), dtype, outer or dtype)
            return run, _dispatched(graph, device, dtype) | where
    run = casting(graph.to(device=device, dtype=dtype), dtype, outer or dtype)
    return run, _dispatched(graph, device, dtype)


def _dispatched(graph: torch.fx.GraphModule, device, dtype) -> dict[str, str]:
    """The backends of nodes that are run one by one."""
    ops = {node.name: op_name(node) for node in graph.graph.nodes if node.op == "call_function"}
    return {n: choose(op, device, dtype).backend if op else REFERENCE for n, op in ops.items()}


def describe() -> list[tuple[str, bool, str]]:
    """``(backend, available, detail)`` of every backend on this machine."""
    rows = [(name, *backend.describe()) for name, backend in _BACKENDS.items()]
    return [*rows, (REFERENCE, True, "plain torch, any device")]


def missing(device: torch.device) -> str | None:
    """Why no backend made for this kind of device is available; None where one is."""
    home = _HOME.get(device.type, ())
    rows = [(available, detail) for name, available, detail in describe() if name in home]
    if any(available for available, _ in rows):
        return None
    return "; ".join(detail for _, detail in rows) or None
