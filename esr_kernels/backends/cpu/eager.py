"""Ops one at a time: a program of one op each, but for the shapes that torch computes faster.

``selective_scan`` works on sequences, not on rows of pixels: it is a function by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from esr_kernels import _C

from ...op import Op
from ..layout import memory_format
from ..lowering.eager import EagerPrograms
from .builder import BESIDE, MAX_FACTOR, MAX_SOURCES, OP_SET, isa, threads

_programs = EagerPrograms(OP_SET)


def program(op: Op, *args, out: Tensor | None = None):
    """Compute ``op`` by a program of its own."""
    return _programs.run(op, *args, variant=isa(), out=out)


def conv_act(op: Op, inputs, weight, bias, act, slope, residual, out: Tensor | None = None):
    if weight.shape[-1] == 1 and inputs[0].dtype == torch.float32:
        # By itself it is one matrix product, and laying the picture out for the kernel takes longer
        # than that: torch is 1.1 to 4 times as fast.
        y = op.in_torch(inputs, weight, bias, act, slope, residual)
        return y if out is None else out.copy_(y)
    if len(inputs) > MAX_SOURCES:
        inputs = [torch.cat(inputs, 1)]
    return program(op, inputs, weight, bias, act, slope, residual, out=out)


def depthwise_act(op: Op, x, *args):
    if memory_format(x) == torch.channels_last:
        # Torch's own reads such pictures as they lie. Laying one out for the kernel, and back,
        # takes longer than the whole op there.
        return op.in_torch(x, *args)
    return program(op, x, *args)


def conv3x3_pixel_shuffle(op: Op, x, weight, bias, upscale_factor, skip):
    if upscale_factor <= MAX_FACTOR:
        return program(op, x, weight, bias, upscale_factor, skip)
    return op.in_torch(x, weight, bias, upscale_factor, skip)


def selective_scan(op: Op, c, delta, A, B, K, D):
    A, D = (x.detach().to(torch.float32).contiguous() for x in (A, D))
    out = torch.empty(c.shape, dtype=torch.float32, device=c.device)
    c32, delta, B, K = (x.detach().to(torch.float32) for x in (c, delta, B, K))
    views = [(x.data_ptr(), *x.stride()) for x in (c32, delta, B, K)]
    addresses = A.data_ptr(), D.data_ptr(), out.data_ptr()
    sizes = (*c.shape, A.shape[1])
    _C.selective_scan(*views, *addresses, sizes, threads(), isa())  # type: ignore[call-arg, arg-type]
    return out.to(c.dtype)


def in_torch(op: Op, *args):
    """Compute ``op`` by its formula."""
    return op.in_torch(*args)


_SPECIALS = conv_act, depthwise_act, conv3x3_pixel_shuffle, selective_scan
_SPECIAL = {f.__name__: f for f in _SPECIALS} | dict.fromkeys(BESIDE, in_torch)
#: Names of the ops that this backend computes.
COMPUTED = OP_SET.lower.keys() | _SPECIAL.keys()


def implementation(op: Op) -> Callable:
    """Return the function of the op's schema arguments."""
    return partial(_SPECIAL.get(op.name, program), op)
