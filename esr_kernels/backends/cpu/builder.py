"""Programs of the CPU's kernels: their instruction set, threads, and limits."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
from torch import Tensor

from esr_kernels import _C

from ...op import Op
from ..layout import memory_format
from ..lowering import program
from ..lowering.lower import LOWER
from .cost import gain

MAX_SOURCES = 8  # of a convolution, which python/cpu_steps.h checks
MAX_FACTOR = 8  # of the kernels' pixel shuffle
#: Ops that are left to torch by themselves: each is a pass over memory or a few, and laying out the
#: pictures takes as many, or torch has a kernel for pictures in channels_last that is as fast.
BESIDE = frozenset(
    {
        *("elementwise", "channel_norm", "channel_part", "resample", "statistic", "window_max"),
        *("strided_conv", "window_variance", "channel_join", "direct_conv_act"),
    }
)


def isa() -> str:
    """The instruction set to use: ``$ESR_KERNELS_ISA``, else the best of this processor.

    Raises:
        ValueError: the variable names one that was not built, or that the processor lacks.
    """
    wanted = os.environ.get("ESR_KERNELS_ISA", "")
    if wanted and wanted not in _C.isas():
        why = dict(_C.missing()).get(wanted, "it was not built")
        here = ", ".join(_C.isas())
        raise ValueError(f"ESR_KERNELS_ISA={wanted!r} does not run here: {why}; use one of: {here}")
    return wanted or _C.isas()[0]


def threads() -> int:
    """As many as torch uses, but not more than there are processors: they wait for each other."""
    if hasattr(os, "sched_getaffinity"):
        return min(torch.get_num_threads(), len(os.sched_getaffinity(0)))
    return torch.get_num_threads()


class Builder(program.Builder):
    """A program of the CPU's kernels, which read and write float32.

    For tensors of bfloat16 it multiplies in bfloat16 where the instruction set has tiles for that;
    all else is computed in float32.
    """

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        super().__init__(_C.Program(isa(), dtype == torch.bfloat16))

    def run(
        self,
        inputs: Sequence[Tensor],
        dtypes: Sequence[torch.dtype] | None = None,
        out: Sequence[Tensor] | None = None,
    ) -> list[Tensor]:
        """See the base class."""
        inputs = _batches(inputs)
        like = self._like(inputs)
        size = self._size(inputs)
        read = [_rows(x) for x in inputs]
        shapes = self._shapes(*size)
        if out is None:
            formats = [self._format(i, memory_format(like)) for i in range(len(shapes))]
            written = [
                torch.empty(shape, dtype=torch.float32, device=like.device, memory_format=format)
                for shape, format in zip(shapes, formats, strict=True)
            ]
        else:
            written = [self._writable(i, y) for i, y in enumerate(out)]
        self.program.run([_view(x) for x in read], [_view(y) for y in written], *size, threads())
        if out is None:
            dtypes = dtypes or [like.dtype] * len(written)
            return [formatted(y, like, dtype) for y, dtype in zip(written, dtypes, strict=True)]
        for given, y in zip(out, written, strict=True):
            if y.data_ptr() != given.data_ptr():
                given.copy_(y)
        return list(out)

    def _format(self, output: int, wanted: torch.memory_format) -> torch.memory_format:
        """In which a result is written: what is shuffled has its pixels side by side."""
        factor = self._outputs[output][2]
        return wanted if factor == 1 else torch.contiguous_format

    def _writable(self, output: int, y: Tensor) -> Tensor:
        """``y`` where the kernels can write it, else another of its shape."""
        rows = _rows(y)
        if rows.data_ptr() == y.data_ptr() and 1 in (_pixel(y), self._outputs[output][2]):
            return rows
        return y.new_empty(y.shape, dtype=torch.float32)

    def _size_of(self, value: int, height: int, width: int) -> tuple[int, int]:
        return self.program.size_of(value, height, width)


def _batches(inputs: Sequence[Tensor]) -> list[Tensor]:
    """Repeat a picture that stands for a batch, without taking memory for it."""
    n = max(x.shape[0] for x in inputs)
    return [x.expand(n, -1, -1, -1) if x.shape[0] == 1 else x for x in inputs]


def formatted(y: Tensor, like: Tensor, dtype: torch.dtype) -> Tensor:
    """``y`` in this dtype, and in the memory format of ``like``."""
    return y.to(dtype).contiguous(memory_format=memory_format(like))


def _rows(x: Tensor) -> Tensor:
    """``x`` as the kernels can read it: float32, the pixels of a row or their channels adjacent."""
    x = x.detach().to(torch.float32)
    adjacent = _pixel(x) == 1 or x.stride(1) == 1 or x.shape[1] == 1
    return x if adjacent else x.contiguous()


def _pixel(x: Tensor) -> int:
    """The stride of a row's pixels."""
    return x.stride(3) if x.shape[3] > 1 else 1


def _view(x: Tensor) -> tuple[int, int, int, int, int]:
    return x.data_ptr(), x.stride(0), x.stride(1), x.stride(2), _pixel(x)


def _refusal(op: Op, args: tuple) -> str | None:
    several = isinstance(args[0], (list, tuple)) and isinstance(args[0][0], tuple)
    if several and len(args[0]) > MAX_SOURCES:
        return f"a step has at most {MAX_SOURCES} inputs"
    if op.name == "conv3x3_pixel_shuffle" and args[3] > MAX_FACTOR:
        return f"a step enlarges at most {MAX_FACTOR} times"
    return None


def _standalone(op: Op, args: tuple) -> bool:
    # A 1x1 convolution by itself is left to torch too, see eager.py. So are depthwise ones but the
    # fastest: torch's own for channels_last takes as long as the kernel without its borders.
    if op.name == "depthwise_act":
        return (args[1][2:], *args[-2:]) == ((3, 3), 1, "zeros")
    return op.name not in BESIDE and (op.name != "conv_act" or args[1][-1:] != (1,))


OP_SET = program.OpSet(
    "cpu", Builder, LOWER, _refusal, _standalone, gain, channels_last=True, resizes=True
)
