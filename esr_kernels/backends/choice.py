"""Choice of the backend that computes an op, with the reasons why the others do not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch

from ..op import Op
from . import cpu, cuda, triton
from .contract import REFERENCE, Backend

#: From the fastest down.
_BACKENDS: dict[str, Backend] = {"cpu": cpu, "cuda": cuda, "triton": triton}
#: Kind of device -> the backends that are made for it.
_HOME = {"cpu": ("cpu",), "cuda": ("cuda", "triton")}
_only: ContextVar[str] = ContextVar("_only", default="")


@dataclass(frozen=True)
class Choice:
    """The backend of one op: its name, its function, and why faster ones refused.

    ``run`` takes the op's schema arguments; it is None for ``reference``, whose function is the
    op's own formula in plain torch.
    """

    backend: str
    run: Callable | None
    refusals: tuple[tuple[str, str], ...]

    def why(self, device: torch.device) -> str:
        """Why no faster backend computes the op: what those say that are made for the device."""
        home = [reason for name, reason in self.refusals if name in _HOME.get(device.type, ())]
        reasons = home or [reason for _, reason in self.refusals]
        return "; ".join(dict.fromkeys(reasons)) or "no other backend is allowed"


def choose(op: Op, device: torch.device, dtype: torch.dtype) -> Choice:
    """Pick the backend that computes ``op`` on tensors of this device and dtype.

    Args:
        op: its declaration.
        device: of its tensors.
        dtype: of its activations and weights.

    Raises:
        ValueError: ``ESR_KERNELS_BACKEND`` names no backend.
    """
    refusals: list[tuple[str, str]] = []
    for name, backend in allowed().items():
        reason = backend.refusal(op, device, dtype)
        if reason is None:
            return Choice(name, backend.implementation(op), tuple(refusals))
        refusals.append((name, reason))
    return Choice(REFERENCE, None, tuple(refusals))


def allowed() -> dict[str, Backend]:
    """Return the backends that :func:`only` or ``ESR_KERNELS_BACKEND`` allow, by name.

    Raises:
        ValueError: ``ESR_KERNELS_BACKEND`` names no backend.
    """
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
    """Set ``ESR_KERNELS_BACKEND`` to ``name`` for this thread, within the context.

    This covers both what is accelerated there and what runs there: a fused graph that no backend
    takes whole asks again at every call.
    """
    token = _only.set(name)
    try:
        yield
    finally:
        _only.reset(token)


def usable(device: torch.device) -> list[str]:
    """Return the names of the backends that take a fused float32 graph there, fastest first."""
    names = [
        name
        for name, backend in allowed().items()
        if backend.graph_refusal((), device, torch.float32) is None
    ]
    return [*names, REFERENCE]


def describe() -> list[tuple[str, bool, str]]:
    """Return ``(backend, available, detail)`` of every backend on this machine."""
    rows = [(name, *backend.describe()) for name, backend in _BACKENDS.items()]
    return [*rows, (REFERENCE, True, "plain torch, any device")]


def kernels() -> list[tuple[str, str, str]]:
    """Return ``(backend, form, what it has passed)`` of every compiled form of a kernel."""
    return [(name, *row) for name, backend in _BACKENDS.items() for row in backend.kernels()]


def recheck() -> None:
    """Check the kernels of all backends on this machine's GPU anew."""
    for backend in _BACKENDS.values():
        backend.recheck()


def missing(device: torch.device) -> str | None:
    """Return why no backend made for this kind of device is available; None where one is."""
    home = _HOME.get(device.type, ())
    rows = [(available, detail) for name, available, detail in describe() if name in home]
    if any(available for available, _ in rows):
        return None
    return "; ".join(detail for _, detail in rows) or None
