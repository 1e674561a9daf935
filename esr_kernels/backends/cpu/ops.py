"""One op at a time: each call is a program of that op, kept for its weights' next call."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pixel_shuffle as shuffle

from esr_kernels.backends import references

from ..kept import Kept
from .builder import LOWER, MAX_FACTOR, MAX_SOURCES, Builder, isa, writable_rows

_programs = Kept()


def _program(weights: Sequence[Tensor | None], constants: tuple, build: Callable) -> Builder:
    """``build()``, or what it made for the same weights and constants before."""
    return _programs.get(weights, (isa(), constants), build)


def _result(y: Tensor, like: Tensor) -> Tensor:
    """In the dtype and memory format of ``like``; channels_last only where it is not both."""
    y = y.to(like.dtype)
    if not like.is_contiguous() and like.is_contiguous(memory_format=torch.channels_last):
        return y.contiguous(memory_format=torch.channels_last)
    return y


def conv3x3_act(inputs, weight, bias, act, slope, residual, out: Tensor | None = None):
    like = inputs[0]
    if weight.shape[-1] == 1 and like.dtype == torch.float32:
        # By itself it is one matrix product, and laying the picture out for the kernel takes longer
        # than that: torch is 1.1 to 4 times as fast.
        y = references["conv3x3_act"](inputs, weight, bias, act, slope, residual)
        return y if out is None else out.copy_(y)
    if len(inputs) > MAX_SOURCES:
        inputs = [torch.cat(inputs, 1)]
    channels = tuple(x.shape[1] for x in inputs)

    def build() -> Builder:
        b = Builder()
        values = [b.input(c) for c in channels]
        u = None if residual is None else b.input(residual.shape[1])
        b.output(LOWER["conv3x3_act"](b, values, weight, bias, act, slope, u))
        return b

    constants = ("conv3x3_act", channels, act, slope, residual is None)
    program = _program((weight, bias), constants, build)
    pictures = [*inputs] if residual is None else [*inputs, residual]
    if out is not None and writable_rows(out):
        program.run(pictures, [out])
        return None
    y = program.run(pictures)[0]
    return _result(y, like) if out is None else out.copy_(y)


def spab(x, *weights):
    def build() -> Builder:
        b = Builder()
        for value in LOWER["spab"](b, b.input(x.shape[1]), *weights):
            b.output(value)
        return b

    o, t = _program(weights, ("spab",), build).run([x])
    return _result(o, x), _result(t, x)


def esa(x, *weights):
    def build() -> Builder:
        b = Builder()
        b.output(LOWER["esa"](b, b.input(x.shape[1]), *weights))
        return b

    return _result(_program(weights, ("esa",), build).run([x])[0], x)


def pixel_shuffle(x, weight, bias, upscale_factor, skip):
    factor = upscale_factor if upscale_factor <= MAX_FACTOR else 1

    def build() -> Builder:
        b = Builder()
        y = b.conv([b.input(x.shape[1])], weight, bias)
        under = b.input(skip.shape[1]) if skip is not None and factor == upscale_factor else None
        b.output(y, factor, under)
        return b

    program = _program((weight, bias), ("pixel_shuffle", factor, skip is None), build)
    if factor == upscale_factor:
        return _result(program.run([x] if skip is None else [x, skip])[0], x)
    y = shuffle(program.run([x])[0], upscale_factor)
    if skip is not None:
        n = upscale_factor
        y = y + skip.float().repeat_interleave(n, 2).repeat_interleave(n, 3)
    return _result(y, x)
