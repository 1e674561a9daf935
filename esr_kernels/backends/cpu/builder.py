"""From ops to a program of the CPU's kernels: how each op is made of row steps."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
from torch import Tensor

from esr_kernels import _C

from ..layout import memory_format
from ..lowering import program

MAX_SOURCES = 8  # of a convolution, which python/cpu_steps.h checks
MAX_FACTOR = 8  # of the kernels' pixel shuffle


def isa() -> str:
    """The instruction set to use: ``$ESR_KERNELS_ISA``, else the best of this processor.

    Raises:
        ValueError: the variable names one that was not built, or that the processor lacks.
    """
    wanted = os.environ.get("ESR_KERNELS_ISA", "")
    if wanted and wanted not in _C.isas():
        here = ", ".join(_C.isas())
        raise ValueError(f"ESR_KERNELS_ISA={wanted!r} does not run here; use one of: {here}")
    return wanted or _C.isas()[0]


def threads() -> int:
    """As many as torch uses, but not more than there are processors: they wait for each other."""
    if hasattr(os, "sched_getaffinity"):
        return min(torch.get_num_threads(), len(os.sched_getaffinity(0)))
    return torch.get_num_threads()


class Builder(program.Builder):
    """A program of the CPU's kernels, which read and write float32."""

    def __init__(self) -> None:
        super().__init__(_C.Program(isa()))

    def strided_conv(self, source: int, weight: Tensor, bias: Tensor | None) -> int:
        """3x3 convolution with stride 2 and no padding; the result is about half as large."""
        value = self.program.strided_conv(source, program.numpy_of(weight), program.numpy_of(bias))
        self._channels[value] = weight.shape[0]
        return value

    def max_pool(self, source: int, kernel: int, stride: int) -> int:
        """``torch.nn.functional.max_pool2d`` without padding."""
        value = self.program.max_pool(source, kernel, stride)
        self._channels[value] = self._channels[source]
        return value

    def bilinear(self, source: int, like: int) -> int:
        """``source`` enlarged or reduced to the size of ``like``, with align_corners=False."""
        value = self.program.bilinear(source, like)
        self._channels[value] = self._channels[source]
        return value

    def run(
        self,
        inputs: Sequence[Tensor],
        dtypes: Sequence[torch.dtype] | None = None,
        out: Sequence[Tensor] | None = None,
    ) -> list[Tensor]:
        """See the base class."""
        like = inputs[0]
        size = self._size(inputs)
        read = [_rows(x) for x in inputs]
        shapes = self._shapes(*size)
        if out is None:
            written = [like.new_empty(shape, dtype=torch.float32) for shape in shapes]
        else:
            written = [_rows(y) for y in out]
        self.program.run([_view(x) for x in read], [_view(y) for y in written], *size, threads())
        if out is None:
            dtypes = dtypes or [like.dtype] * len(written)
            return [formatted(y, like, dtype) for y, dtype in zip(written, dtypes, strict=True)]
        for given, y in zip(out, written, strict=True):
            if y.data_ptr() != given.data_ptr():
                given.copy_(y)
        return list(out)


def formatted(y: Tensor, like: Tensor, dtype: torch.dtype) -> Tensor:
    """``y`` in this dtype, and in the memory format of ``like``."""
    return y.to(dtype).contiguous(memory_format=memory_format(like))


def _rows(x: Tensor) -> Tensor:
    """``x`` where the kernels can read and write it: float32, the pixels of a row adjacent."""
    x = x.detach().to(torch.float32)
    if x.stride(3) == 1 or x.shape[3] == 1:
        return x
    if not x.is_contiguous(memory_format=torch.channels_last):
        return x.contiguous()
    rows = x.new_empty(x.shape)
    for planes, pixels in zip(rows.flatten(2), x.flatten(2), strict=True):
        planes.copy_(pixels)  # torch transposes a matrix in blocks: four times as fast as a picture
    return rows


def _view(x: Tensor) -> tuple[int, int, int, int]:
    return x.data_ptr(), x.stride(0), x.stride(1), x.stride(2)


def _spab(b: Builder, x, w1, b1, w2, b2, w3, b3) -> tuple[int, int]:
    t = b.conv([x], w1, b1, "silu")
    v = b.conv([t], w2, b2, "silu")
    return b.conv([v], w3, b3, "spab", residual=x), t


def _esa(b: Builder, x, w1, b1, w_f, b_f, w2, b2, w3, b3, w4, b4) -> int:
    a = b.conv([x], w1, b1)
    small = b.max_pool(b.strided_conv(a, w2, b2), kernel=7, stride=3)
    e = b.bilinear(b.conv([small], w3, b3), like=x)
    return b.conv([b.conv([a], w_f, b_f, residual=e)], w4, b4, "gate", residual=x)


LOWER = {
    "conv_act": program.conv_act,
    "depthwise3x3_act": program.depthwise3x3_act,
    "spab": _spab,
    "esa": _esa,
    "conv3x3_pixel_shuffle": program.conv3x3_pixel_shuffle,
}


def _supports(op: str, args: tuple) -> bool:
    if op == "conv_act":
        return 1 <= len(args[0]) <= MAX_SOURCES
    return op != "conv3x3_pixel_shuffle" or args[3] <= MAX_FACTOR


def _standalone(op: str, args: tuple) -> bool:
    # A 1x1 convolution by itself is left to torch, see ops.py.
    return op != "conv_act" or args[1][-1:] != (1,)


OP_SET = program.OpSet("cpu", lambda dtype: Builder(), LOWER, _supports, _standalone)
