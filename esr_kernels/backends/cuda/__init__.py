"""The CUDA backend: C++ kernels for tensor cores, in ``esr_kernels._C`` where nvcc was found.

Claims tensors on NVIDIA GPUs from compute capability 8.0 up, of float16 and bfloat16, and of
float32 where torch's own convolutions may use TF32 at the time a graph is bound. Sums are kept in
float32; those of float16, over 16 channels, in float16 where
``torch.backends.cuda.matmul.allow_fp16_accumulation`` was set by then, on GPUs that multiply
faster so: compute capabilities 8.6, 8.9 and 12.x. On others the flag is ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache, partial

import torch
from torch.fx import GraphModule

from ...op import Op
from .. import gpu, verdicts
from ..contract import Compiled
from ..lowering.lower import COMMON
from .device import sums_in_float16

try:
    from esr_kernels import _C
except ImportError:
    _C = None  # type: ignore[assignment]

_DTYPES = (torch.float32, torch.float16, torch.bfloat16)
#: Names of the ops that this backend computes.
COMPUTED = tuple(COMMON)


def refusal(op: Op, device: torch.device, dtype: torch.dtype) -> str | None:
    """See :class:`Backend`. The first question about an op runs it on the device."""
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
    half_sums = ["half_sums"] if dtype == torch.float16 and sums_in_float16(device) else []
    mine = [op.name for op in ops if op.name in COMPUTED]
    return verdicts.first_refusal("cuda", mine, device, [gpu.numbers(dtype), *half_sums])


def rounding(dtype: torch.dtype, device: torch.device) -> torch.dtype:
    """Return the dtype in which plain torch has as many digits: bfloat16 for sums in float16."""
    if dtype == torch.float16 and sums_in_float16(device):
        return torch.bfloat16
    return gpu.rounding(dtype)


def _claims_not(device: torch.device, dtype: torch.dtype) -> str | None:
    if device.type != "cuda":
        return f"the tensor is on {device.type}"
    if not _is_built():
        return _missing()
    if unfit := gpu.unfit(device):
        return unfit
    if dtype not in _DTYPES:
        return f"{str(dtype).removeprefix('torch.')} is left to torch"
    if dtype == torch.float32 and not gpu.allows_tf32():
        return "float32 without TF32 is left to Triton"
    return None


def _missing() -> str:
    note = getattr(_C, "build_note", "without compiled kernels")
    return f"built {note}; for them install nvcc 12 or newer, and then this package again"


def _is_built() -> bool:
    return hasattr(_C, "cuda")


@cache
def implementation(op: Op) -> Callable:
    """See :class:`Backend`."""
    from . import ops

    return partial(ops.run, op)


def compile_graph(graph: GraphModule, dtype: torch.dtype, outer: torch.dtype) -> Compiled:
    """See :class:`Backend`."""
    from ..lowering import partition
    from .builder import OP_SET

    return partition.compile_graph(graph, dtype, outer, OP_SET)


#: What every form has passed without a GPU.
_BEFORE = "compiled, and run on the CPU by an emulator"


def kernels() -> list[tuple[str, str]]:
    """See :class:`Backend`."""
    return verdicts.history("cuda", _C.cuda.forms(), _BEFORE) if _is_built() else []


def recheck() -> None:
    """See :class:`Backend`."""
    device = torch.device("cuda", 0)
    if _is_built() and not gpu.unfit(device):
        verdicts.recheck("cuda", device, ("float16", "half_sums", "bfloat16", "tf32"))


def describe() -> tuple[bool, str]:
    """See :class:`Backend`."""
    if not _is_built():
        return False, _missing()
    targets = f"{', '.join(COMPUTED)}: compiled for {', '.join(_C.cuda.targets)}"
    reason = _claims_not(torch.device("cuda"), torch.float16)
    tested = f"{targets}, {verdicts.summary(kernels())}"
    return reason is None, tested if reason is None else f"{reason}; {tested}"
