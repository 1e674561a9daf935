"""The CUDA backend: C++ kernels for tensor cores, in ``esr_kernels._C`` where nvcc was found.

Claims tensors on NVIDIA GPUs from compute capability 8.0 up, of float16 and bfloat16, and of
float32 where torch's own convolutions may use TF32 at the time a graph is bound. Sums are kept in
float32; those of float16, over 16 channels, in float16 where
``torch.backends.cuda.matmul.allow_fp16_accumulation`` was set by then, on GPUs that multiply
faster so: compute capabilities 8.6, 8.9 and 12.x. On others the flag is ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import torch

from .. import gpu
from ..self_check import first_disagreement
from .device import sums_in_float16

try:
    from esr_kernels import _C
except ImportError:
    _C = None

_MISSING = (
    "built without CUDA kernels; for them install nvcc 12 or newer, and then this package again"
)
_DTYPES = (torch.float32, torch.float16, torch.bfloat16)
_OPS = ("conv_act", "spab", "esa", "conv3x3_pixel_shuffle")


def refusal(op: str, device: torch.device, dtype: torch.dtype) -> str | None:
    """``None`` when this backend computes ``op`` there, else why not.

    The first question about an op runs it once on the device, see ``self_check``.
    """
    names = _OPS if op == "graph" else (op,)
    return _claims_not(op, device, dtype) or first_disagreement(
        names, implementation, device, dtype, rounding(dtype, device)
    )


def rounding(dtype: torch.dtype, device: torch.device) -> torch.dtype:
    """Return the dtype in which plain torch has as many digits: bfloat16 for sums in float16."""
    if dtype == torch.float16 and sums_in_float16(device):
        return torch.bfloat16
    return gpu.rounding(dtype)


def _claims_not(op: str, device: torch.device, dtype: torch.dtype) -> str | None:
    if device.type != "cuda":
        return f"the tensor is on {device.type}"
    if not _is_built():
        return _MISSING
    if unfit := gpu.unfit(device):
        return unfit
    if dtype not in _DTYPES:
        return f"{str(dtype).removeprefix('torch.')} is left to torch"
    if dtype == torch.float32 and not gpu.allows_tf32():
        return "float32 without TF32 is left to Triton"
    if op not in (*_OPS, "graph"):
        return f"has no kernel for {op}"
    return None


def _is_built() -> bool:
    return hasattr(_C, "cuda")


@cache
def implementation(op: str) -> Callable:
    """Return the function that takes the schema arguments of ``op``."""
    from . import ops

    return partial(ops.run, op)


def compile_graph(graph: torch.fx.GraphModule, dtype: torch.dtype, outer: torch.dtype):
    """See :func:`esr_kernels.backends.bind`."""
    from ..lowering import partition
    from .builder import OP_SET

    return partition.compile_graph(graph, dtype, outer, OP_SET)


def describe() -> tuple[bool, str]:
    """Report if the kernels can run here, and how far they have been tested."""
    if not _is_built():
        return False, _MISSING
    tested = "run on the CPU by an emulator; never run on a GPU"
    kernels = f"{', '.join(_OPS)}: compiled for {', '.join(_C.cuda.targets)}, {tested}"
    reason = _claims_not("graph", torch.device("cuda"), torch.float16)
    return reason is None, kernels if reason is None else f"{reason}; {kernels}"
