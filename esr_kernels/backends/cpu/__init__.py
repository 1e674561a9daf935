"""The CPU backend: vectorised C++ kernels of ``esr_kernels._C``.

Claims every op on CPU tensors of float32, and of float16 and bfloat16. Half precisions are computed
in float32 and rounded once at the end; but where the processor has matrix tiles (AMX), convolutions
of bfloat16 tensors multiply in bfloat16 and add in float32, and what lies between two of them is
rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch.fx import GraphModule

from ...op import Op
from ..contract import Compiled

try:
    from esr_kernels import _C
except ImportError as error:
    _C = None  # type: ignore[assignment]
    _CAUSE = str(error) if find_spec("esr_kernels._C") else "built without a C++ compiler"
    _WHY_NOT = (
        f"no compiled kernels ({_CAUSE}): everything works, at PyTorch's speed; for more, install "
        "g++ or clang, and then this package again"
    )

_DTYPES = (torch.float32, torch.float16, torch.bfloat16)


def refusal(op: Op, device: torch.device, dtype: torch.dtype) -> str | None:
    """See :class:`Backend`."""
    if reason := graph_refusal((), device, dtype):
        return reason
    from .eager import COMPUTED

    return None if op.name in COMPUTED else f"has no kernel for {op.name}"


def graph_refusal(ops: Collection[Op], device: torch.device, dtype: torch.dtype) -> str | None:
    """See :class:`Backend`."""
    if device.type != "cpu":
        return f"the tensor is on {device.type}"
    if _C is None:
        return _WHY_NOT
    if dtype not in _DTYPES:
        return f"{str(dtype).removeprefix('torch.')} is left to torch"
    from .builder import isa

    isa()  # a wrong name in the variable is an error, as one of a backend is
    return None


@cache
def implementation(op: Op) -> Callable:
    """See :class:`Backend`."""
    from .eager import implementation

    return implementation(op)


def compile_graph(graph: GraphModule, dtype: torch.dtype, outer: torch.dtype) -> Compiled:
    """See :class:`Backend`."""
    from ..lowering import partition
    from .builder import OP_SET

    has_tiles = OP_SET.builder(dtype).program.has_tiles

    def gain(parts: Sequence, *rest: Any) -> float:
        # An op by itself is called with float32 tensors, which are not for tiles.
        return OP_SET.gain(parts, *rest, on_tiles=has_tiles and len(parts) > 1)

    # What torch computes in between stays in float32, which programs read and write anyway.
    op_set = replace(OP_SET, builder=lambda _: OP_SET.builder(dtype), gain=gain)
    return partition.compile_graph(graph, torch.float32, outer, op_set)


#: How far each instruction set has been tested: the whole test suite on a processor that has it, or
#: the kernels' own tests under emulation.
_TESTED = {
    "amx": "Intel Xeon with AMX; the convolutions' kernels under emulation too",
    "avx512": "AMD Zen 5, Intel Xeon with AMX",
    "avx2": "AMD Zen 5, Intel Xeon with AMX",
    "sse2": "AMD Zen 5, Intel Xeon with AMX",
    "neon": "under emulation only, never on a processor",
}


def kernels() -> list[tuple[str, str]]:
    """See :class:`Backend`: one row per instruction set."""
    built = _C.built_isas() if _C else ()
    return [(name, _TESTED.get(name, "never run")) for name in built]


def recheck() -> None:
    """See :class:`Backend`: processors need no checks."""


def describe() -> tuple[bool, str]:
    """See :class:`Backend`: the instruction set in use, and how far each was tested."""
    if _C is None:
        return False, _WHY_NOT
    from .builder import isa

    try:
        used = isa()
    except ValueError as error:  # $ESR_KERNELS_ISA
        return False, str(error)
    built = ", ".join(f"{name} ({tested})" for name, tested in kernels())
    return True, f"uses {used}; built, and tested on: {built}"
