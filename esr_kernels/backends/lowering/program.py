"""Programs: C++ objects, built step by step, that compute a subgraph; common to all backends.

A *value* is the number that a program gave to the result of a step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...formula import Operand, Term
from ...op import Op

#: Of a tensor.
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Part:
    """An op in a graph: its schema arguments and its result, with shapes in place of tensors."""

    op: Op
    args: tuple
    made: Shape


@dataclass(frozen=True)
class OpSet:
    """The ops that a backend's programs can have.

    Attributes:
        name: of the backend.
        builder: makes an empty program for tensors of a dtype.
        lower: a function per op, by name. It takes the builder and the op's schema arguments with
            values for activations, and returns the op's results: values or :class:`Shuffled`.
        refusal: takes an op of ``lower`` and its schema arguments with shapes in place of tensors;
            None if it can be part of a program, else the reason why not.
        standalone: likewise, true if a program of this op alone is faster than torch.
        gain: takes ops that would be one program, the shapes of the pictures that it would read
            and write, and the width of the picture that all these shapes are for; the time that
            the program saves, in any unit: more than 0 if it is faster than torch.
        channels_last: whether torch convolves faster in that format.
        resizes: whether a program can have values of several sizes, and inputs of one pixel.
    """

    name: str
    builder: Callable[[torch.dtype], Builder]
    lower: Mapping[str, Callable]
    refusal: Callable[[Op, tuple], str | None]
    standalone: Callable[[Op, tuple], bool]
    gain: Callable[..., float]
    channels_last: bool = False
    resizes: bool = False


@dataclass(frozen=True)
class Shuffled:
    """A result at the large size: a value that is shuffled as it is written, plus ``skip``."""

    value: int
    factor: int
    skip: int | None


def numpy_of(tensor: Tensor | None):
    """float64, as the programs take constants."""
    return None if tensor is None else tensor.detach().to("cpu", torch.float64).contiguous().numpy()


def _optional(value: int | None) -> int:
    """A value as the programs take it where there may be none."""
    return -1 if value is None else value


class Builder:
    """Collects the steps of a program; each backend has its own way to :meth:`run` it."""

    def __init__(self, program: Any) -> None:
        self.program = program
        self._channels: dict[int, int] = {}
        self._inputs: list[tuple[int, bool]] = []  # channels, whether of one pixel
        self._outputs: list[tuple[int, int, int]] = []  # value, channels, factor

    def input(self, channels: int, shift: Tensor | None = None) -> int:
        """The next input picture, plus ``shift[c]`` (not in the zero padding around it)."""
        value = self.program.input(channels, numpy_of(shift))
        self._channels[value] = channels
        self._inputs.append((channels, False))
        return value

    def pixel(self, channels: int) -> int:
        """The next input picture, of one pixel whatever size the others have."""
        value = self.program.pixel(channels)
        self._channels[value] = channels
        self._inputs.append((channels, True))
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
        """A 3x3 or 1x1 convolution of the sources' concatenation, with its epilogue."""
        value = self.program.conv(
            list(sources), numpy_of(weight), numpy_of(bias), act, slope, _optional(residual)
        )
        self._channels[value] = weight.shape[0]
        return value

    def depthwise(
        self,
        source: int,
        weight: Tensor,
        bias: Tensor | None,
        act: str,
        slope: float,
        residual: int | None,
        dilation: int,
        padding_mode: str,
    ) -> int:
        """A depthwise convolution with its epilogue."""
        epilogue = act, slope, _optional(residual)
        value = self.program.depthwise(
            source, numpy_of(weight), numpy_of(bias), *epilogue, dilation, padding_mode == "reflect"
        )
        return self._made(value, source)

    def direct_conv(
        self,
        sources: Sequence[int],
        weight: Tensor,
        bias: Tensor | None,
        act: str,
        slope: float,
        residual: int | None,
        dilation: int,
        groups: int,
    ) -> int:
        """A convolution of any odd size of the sources' concatenation, with its epilogue."""
        constants = numpy_of(weight), numpy_of(bias), act, slope
        value = self.program.direct_conv(
            list(sources), *constants, _optional(residual), dilation, groups
        )
        self._channels[value] = weight.shape[0]
        return value

    def strided_conv(
        self, source: int, weight: Tensor, bias: Tensor | None, padding: int = 0
    ) -> int:
        """Convolution with stride 2; the result is about half as large."""
        constants = numpy_of(weight), numpy_of(bias)
        value = self.program.strided_conv(source, *constants, padding=padding)
        self._channels[value] = weight.shape[0]
        return value

    def max_pool(self, source: int, kernel: int, stride: int, padding: int = 0) -> int:
        """``torch.nn.functional.max_pool2d``."""
        value = self.program.max_pool(source, kernel, stride, padding)
        self._channels[value] = self._channels[source]
        return value

    def window_variance(self, source: int, kernel: int, stride: int, padding: int) -> int:
        """The unbiased variance in windows, of pixels mirrored at the edges."""
        value = self.program.window_variance(source, kernel, stride, padding)
        return self._made(value, source)

    def adaptive_max_pool(self, source: int, divisor: int) -> int:
        """``adaptive_max_pool2d`` to height and width divided by this."""
        return self._made(self.program.adaptive_max_pool(source, divisor), source)

    def resample(self, source: int, mode: str, like: int | None = None, factor: int = 1) -> int:
        """``source`` in the size of ``like``, or so many times as large; ``nearest`` or
        ``bilinear`` with align_corners=False."""
        value = getattr(self.program, mode)(source, _optional(like), factor)
        return self._made(value, source)

    def join(self, sources: Sequence[int]) -> int:
        """The channels of all sources."""
        value = self.program.join(list(sources))
        self._channels[value] = sum(self._channels[source] for source in sources)
        return value

    def part(self, source: int, first: int, count: int) -> int:
        """Some neighbouring channels."""
        value = self.program.part(source, first, count)
        self._channels[value] = count
        return value

    def statistic(self, source: int, measure: str, correction: int) -> int:
        """``mean``, ``var`` or ``std`` over the picture, one pixel."""
        return self._made(self.program.statistic(source, measure, correction), source)

    def _made(self, value: int, like: int) -> int:
        """``value``, which has as many channels as another."""
        self._channels[value] = self._channels[like]
        return value

    def channel_norm(
        self, source: int, weight: Tensor | None, bias: Tensor | None, eps: float, kind: str
    ) -> int:
        """The channels of each pixel, normalised; ``kind``: ``layer``, ``rms`` or ``length``."""
        channels = self._channels[source]
        weight = torch.ones(channels) if weight is None else weight
        bias = torch.zeros(channels) if bias is None else bias
        value = self.program.channel_norm(source, numpy_of(weight), numpy_of(bias), eps, kind)
        self._channels[value] = channels
        return value

    def formula(
        self, sources: Sequence[int], terms: Sequence[Term], constants: Sequence[Tensor]
    ) -> int:
        """The terms, in the simplest words, of sources with as many channels each, or one."""
        channels = max(self._channels[source] for source in sources)
        rows = [c.detach().to("cpu", torch.float64) for c in constants]
        numbers: list[float] = []
        for value in (o.value for term in terms for o in term.operands if o.kind == "n"):
            if value not in numbers:
                numbers.append(value)
                rows.append(torch.full((channels,), value, dtype=torch.float64))
        start = {"x": 0, "c": len(sources), "n": len(sources) + len(constants)}
        start["t"] = start["n"] + len(numbers)

        def place(o: Operand) -> int:
            return start[o.kind] + (numbers.index(o.value) if o.kind == "n" else o.number)

        code = [(word, *map(place, parts), -1)[:3] for word, parts in terms]
        table = torch.stack(rows) if rows else torch.empty(0, channels, dtype=torch.float64)
        value = self.program.formula(list(sources), table.numpy(), code)
        self._channels[value] = channels
        return value

    def output(self, result: int | Shuffled) -> None:
        """Makes ``result`` the next output picture."""
        if not isinstance(result, Shuffled):
            result = Shuffled(result, 1, None)
        self.program.output(result.value, result.factor, _optional(result.skip))
        channels = self._channels[result.value] // result.factor**2
        self._outputs.append((result.value, channels, result.factor))

    def run(
        self,
        inputs: Sequence[Tensor],
        dtypes: Sequence[torch.dtype] | None = None,
        out: Sequence[Tensor] | None = None,
    ) -> list[Tensor]:
        """Computes the program.

        Args:
            inputs: one ``[N, C, H, W]`` tensor per :meth:`input`, of any dtype and strides.
            dtypes: of the results, that of the first input if None.
            out: where to write; fresh tensors in the memory format of the first input if None.

        Raises:
            ValueError: the inputs do not have one size, or not the channels they were made for.
        """
        raise NotImplementedError

    def _like(self, inputs: Sequence[Tensor]) -> Tensor:
        """The first input of the size that the others have too; the first, if none is larger than
        a pixel."""
        found = (x for x, (_, pixel) in zip(inputs, self._inputs, strict=False) if not pixel)
        return next(found, inputs[0])

    def _size(self, inputs: Sequence[Tensor]) -> tuple[int, int, int]:
        """``N, H, W`` of all inputs."""
        n, _, height, width = self._like(inputs).shape
        expected = [(n, c, 1, 1) if pixel else (n, c, height, width) for c, pixel in self._inputs]
        if [tuple(x.shape) for x in inputs] != expected:
            found = ", ".join(str(list(x.shape)) for x in inputs)
            raise ValueError(f"a program of inputs {expected} was given {found}")
        return n, height, width

    def _shapes(self, n: int, height: int, width: int) -> list[tuple[int, ...]]:
        """Shapes of the results for inputs of this size."""
        sizes = [self._size_of(value, height, width) for value, _, _ in self._outputs]
        return [
            (n, channels, factor * h, factor * w)
            for (_, channels, factor), (h, w) in zip(self._outputs, sizes, strict=True)
        ]

    def _size_of(self, value: int, height: int, width: int) -> tuple[int, int]:
        """The size of a value, for inputs of this size: theirs, where the backend knows no
        other."""
        return height, width


def pairs(weights: Sequence[Tensor | None]) -> list[tuple]:
    """``w1, b1, w2, b2, ...`` as the programs take them."""
    arrays = [numpy_of(w) for w in weights]
    return list(zip(arrays[::2], arrays[1::2], strict=True))
