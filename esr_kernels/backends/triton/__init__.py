"""The Triton backend: every op on NVIDIA GPUs from compute capability 8.0 up.

Claims CUDA tensors of float32, float16 and bfloat16; sums are kept in float32. For tests it claims
CPU tensors too, where ``TRITON_INTERPRET=1`` runs the kernels without a GPU and
``ESR_KERNELS_BACKEND=triton`` asks for that.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules

import torch
from torch.fx import GraphModule

from ...op import Op
from .. import gpu
from ..contract import Compiled
from ..lowering.casting import casting
from ..self_check import first_disagreement

_INSTALLED = find_spec("triton") is not None
_MISSING = "triton is not installed: pip install triton"
_DTYPES = (torch.float32, torch.float16, torch.bfloat16)
_OPS = tuple(sorted(m.name for m in iter_modules([f"{__path__[0]}/ops"])))


def refusal(op: Op, device: torch.device, dtype: torch.dtype) -> str | None:
    """See :class:`Backend`. On a GPU the first question about an op runs it: ``self_check``."""
    if reason := _claims_not(device, dtype):
        return reason
    if op.name not in _OPS:
        return f"has no kernel for {op.name}"
    if not _is_gpu(device):
        return None
    return first_disagreement((op,), implementation, device, dtype, gpu.rounding(dtype))


def graph_refusal(ops: Collection[Op], device: torch.device, dtype: torch.dtype) -> str | None:
    """See :class:`Backend`."""
    if reason := _claims_not(device, dtype):
        return reason
    if not _is_gpu(device):
        return None
    mine = sorted((op for op in ops if op.name in _OPS), key=lambda op: op.name)
    return first_disagreement(tuple(mine), implementation, device, dtype, gpu.rounding(dtype))


def _is_gpu(device: torch.device) -> bool:
    return device.type == "cuda"


def _claims_not(device: torch.device, dtype: torch.dtype) -> str | None:
    if device.type != "cuda" and not (device.type == "cpu" and _asked_to_interpret()):
        return f"the tensor is on {device.type}"
    if not _INSTALLED:
        return _MISSING
    if device.type == "cuda" and (unfit := gpu.unfit(device)):
        return unfit
    if dtype not in _DTYPES:
        return f"{str(dtype).removeprefix('torch.')} is left to torch"
    return None


def _asked_to_interpret() -> bool:
    interprets = os.environ.get("TRITON_INTERPRET") == "1"
    return interprets and os.environ.get("ESR_KERNELS_BACKEND") == "triton"


@cache
def implementation(op: Op) -> Callable:
    """See :class:`Backend`."""
    return getattr(import_module(f".ops.{op.name}", __package__), op.name)


def compile_graph(graph: GraphModule, dtype: torch.dtype, outer: torch.dtype) -> Compiled:
    """See :class:`Backend`."""
    from .graph import compile_graph as compile_

    run, where = compile_(graph, dtype, _OPS)
    return casting(run, dtype, outer), where


#: How far every one of the kernels has been tested.
_TESTED = "compiled for sm_80, sm_90, sm_100 and interpreted; never run on a GPU"


def describe() -> tuple[bool, str]:
    """See :class:`Backend`."""
    device = torch.device("cpu" if _asked_to_interpret() else "cuda")
    reason = _claims_not(device, torch.float32)
    kernels = f"{', '.join(_OPS)}: {_TESTED}"
    return reason is None, kernels if reason is None else f"{reason}; {kernels}"
