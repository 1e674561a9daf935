"""The Triton backend: every op on NVIDIA GPUs from compute capability 8.0 up.

Claims CUDA tensors of float32, float16 and bfloat16; sums are kept in float32. For tests it claims
CPU tensors too, where ``TRITON_INTERPRET=1`` runs the kernels without a GPU and
``ESR_KERNELS_BACKEND=triton`` asks for that.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pkgutil import iter_modules

import torch
from torch.fx import GraphModule

from ...op import Op
from .. import gpu, verdicts
from ..contract import Compiled
from ..lowering.casting import casting

_LEAST_VERSION = (3, 4)  # with triton.knobs; torch brings it from 2.8 on
_DTYPES = (torch.float32, torch.float16, torch.bfloat16)
#: Names of the ops that this backend computes.
COMPUTED = tuple(sorted(m.name for m in iter_modules([f"{__path__[0]}/ops"])))


def refusal(op: Op, device: torch.device, dtype: torch.dtype) -> str | None:
    """See :class:`Backend`. On a GPU the first question checks the kernels."""
    if reason := _claims_not(device, dtype):
        return reason
    if op.name not in COMPUTED:
        return f"has no kernel for {op.name}"
    return _failed((op,), device, dtype)


def graph_refusal(ops: Collection[Op], device: torch.device, dtype: torch.dtype) -> str | None:
    """See :class:`Backend`."""
    return _claims_not(device, dtype) or _failed(ops, device, dtype)


def _failed(ops: Collection[Op], device: torch.device, dtype: torch.dtype) -> str | None:
    """Why the first of these ops that failed on the device is refused, None if none did."""
    if not _is_gpu(device):
        return None
    mine = [op.name for op in ops if op.name in COMPUTED]
    return verdicts.first_refusal("triton", mine, device, [gpu.numbers(dtype)])


def _is_gpu(device: torch.device) -> bool:
    return device.type == "cuda"


def _claims_not(device: torch.device, dtype: torch.dtype) -> str | None:
    if device.type != "cuda" and not (device.type == "cpu" and _asked_to_interpret()):
        return f"the tensor is on {device.type}"
    if missing := _missing():
        return missing
    if device.type == "cuda" and (unfit := gpu.unfit(device)):
        return unfit
    if dtype not in _DTYPES:
        return f"{str(dtype).removeprefix('torch.')} is left to torch"
    return None


@cache  # asked at every eager call; the metadata is a search through folders
def _missing() -> str | None:
    """Why triton cannot be used, told from its metadata: importing it takes long."""
    try:
        found = version("triton")
    except PackageNotFoundError:
        return "triton is not installed: pip install triton"
    if tuple(map(int, found.split(".")[:2])) >= _LEAST_VERSION:
        return None
    least = ".".join(map(str, _LEAST_VERSION))
    return f"triton {found} is too old, {least} is the least: install torch 2.8 or newer"


def _asked_to_interpret() -> bool:
    interprets = os.environ.get("TRITON_INTERPRET") == "1"
    return interprets and os.environ.get("ESR_KERNELS_BACKEND") == "triton"


@cache
def implementation(op: Op) -> Callable:
    """See :class:`Backend`."""
    module = import_module(f".ops.{op.name}", __package__)
    run = getattr(module, op.name)
    if not hasattr(module, "takes"):
        return run
    return lambda *args: run(*args) if module.takes(*args) else op.in_torch(*args)


def takes(op: Op, args: tuple) -> bool:
    """Return true if there is a kernel for these schema arguments, and not for the op alone."""
    module = import_module(f".ops.{op.name}", __package__)
    return not hasattr(module, "takes") or module.takes(*args)


def compile_graph(graph: GraphModule, dtype: torch.dtype, outer: torch.dtype) -> Compiled:
    """See :class:`Backend`."""
    from .graph import compile_graph as compile_

    compiled = compile_(graph, dtype, COMPUTED, takes)
    return replace(compiled, run=casting(compiled.run, dtype, outer))


#: What every kernel has passed without a GPU.
_BEFORE = "compiled for sm_80, sm_90 and sm_100, and interpreted"
_NUMBERS = ("float32", "tf32", "float16", "bfloat16")


def kernels() -> list[tuple[str, str]]:
    """See :class:`Backend`."""
    names = [f"{op} {numbers}" for op in COMPUTED for numbers in _NUMBERS]
    return verdicts.history("triton", names, _BEFORE) if not _missing() else []


def recheck() -> None:
    """See :class:`Backend`."""
    device = torch.device("cuda", 0)
    if _claims_not(device, torch.float16) is None:
        verdicts.recheck("triton", device, _NUMBERS)


def describe() -> tuple[bool, str]:
    """See :class:`Backend`."""
    device = torch.device("cpu" if _asked_to_interpret() else "cuda")
    reason = _claims_not(device, torch.float32)
    tested = f"{', '.join(COMPUTED)}: {verdicts.summary(kernels())}"
    return reason is None, tested if reason is None else f"{reason}; {tested}"
