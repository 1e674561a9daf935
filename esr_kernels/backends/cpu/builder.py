"""From ops to a program of the C++ kernels: how each op is made of row steps.

A *value* is the number that ``_C.Program`` gave to the result of a step. ``LOWER`` holds one
function per op, which takes the builder, and the op's schema arguments with values for activations
and tensors for weights.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
from torch import Tensor

from esr_kernels import _C

MAX_SOURCES = 8  # kMaxSources of csrc/cpu/kernels.h
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


def _threads() -> int:
    """As many as torch uses, but not more than there are processors: they wait for each other."""
    if hasattr(os, "sched_getaffinity"):
        return min(torch.get_num_threads(), len(os.sched_getaffinity(0)))
    return torch.get_num_threads()


def _numpy(tensor: Tensor | None):
    return None if tensor is None else tensor.detach().to(torch.float64).contiguous().numpy()


class Builder:
    """Collects the steps of a program; :meth:`run` computes it."""

    def __init__(self) -> None:
        self.program = _C.Program(isa())
        self._channels: dict[int, int] = {}
        self._inputs: list[int] = []  # channels
        self._outputs: list[tuple[int, int]] = []  # channels, factor

    def input(self, channels: int, shift: Tensor | None = None) -> int:
        """The next input picture, plus ``shift[c]`` (not in the zero padding around it)."""
        value = self.program.input(channels, _numpy(shift))
        self._channels[value] = channels
        self._inputs.append(channels)
        return value

    def conv(
        self,
        sources: Sequence[int],
        weight: Tensor,
        bias: Tensor | None,
        act: str = "none",
        slope: float = 0.0,
        residual: int | None = None,
    ) -> int:
        """``conv3x3_act`` of the sources' concatenation."""
        value = self.program.conv(
            list(sources),
            _numpy(weight),
            _numpy(bias),
            act,
            slope,
            -1 if residual is None else residual,
        )
        self._channels[value] = weight.shape[0]
        return value

    def esa(self, q: int, *weights: Tensor | None) -> int:
        """``esa``; ``weights`` as in its schema."""
        pairs = [(_numpy(w), _numpy(b)) for w, b in zip(weights[::2], weights[1::2], strict=True)]
        value = self.program.esa(q, pairs)
        self._channels[value] = self._channels[q]
        return value

    def output(self, value: int, factor: int = 1, skip: int | None = None) -> None:
        """Makes ``value``, shuffled by ``factor``, the next output picture."""
        self.program.output(value, factor, -1 if skip is None else skip)
        self._outputs.append((self._channels[value] // factor**2, factor))

    def run(self, inputs: Sequence[Tensor], out: Sequence[Tensor] | None = None) -> list[Tensor]:
        """Computes the program.

        Args:
            inputs: one ``[N, C, H, W]`` tensor per :meth:`input`, of any dtype and strides.
            out: where to write; fresh float32 tensors if None. float32, the pixels of a row
                adjacent.

        Raises:
            ValueError: the inputs do not have one size, or not the channels they were made for.
        """
        inputs = [_rows(x) for x in inputs]
        n, _, height, width = inputs[0].shape
        expected = [(n, channels, height, width) for channels in self._inputs]
        if [tuple(x.shape) for x in inputs] != expected:
            found = ", ".join(str(list(x.shape)) for x in inputs)
            raise ValueError(f"a program of inputs {expected} was given {found}")
        if out is None:
            out = [x.new_empty(n, c, f * height, f * width) for c, f in self._outputs
                   for x in inputs[:1]]  # fmt: skip
        self.program.run(
            [_view(x) for x in inputs], [_view(y) for y in out], n, height, width,
            _threads(),
        )  # fmt: skip
        return list(out)


def _rows(x: Tensor) -> Tensor:
    x = x.detach().to(torch.float32)
    return x if writable_rows(x) else x.contiguous()


def writable_rows(x: Tensor) -> bool:
    """Whether the kernels can read and write ``x`` where it is."""
    return x.dtype == torch.float32 and (x.stride(3) == 1 or x.shape[3] == 1)


def _view(x: Tensor) -> tuple[int, int, int, int]:
    return x.data_ptr(), x.stride(0), x.stride(1), x.stride(2)


def _conv3x3_act(b: Builder, inputs, weight, bias, act, slope, residual) -> int:
    return b.conv(inputs, weight, bias, act, slope, residual)


def _spab(b: Builder, x, w1, b1, w2, b2, w3, b3) -> tuple[int, int]:
    t = b.conv([x], w1, b1, "silu")
    v = b.conv([t], w2, b2, "silu")
    return b.conv([v], w3, b3, "spab", residual=x), t


def _esa(b: Builder, x, *weights) -> int:
    return b.esa(x, *weights)


LOWER = {"conv3x3_act": _conv3x3_act, "spab": _spab, "esa": _esa}
