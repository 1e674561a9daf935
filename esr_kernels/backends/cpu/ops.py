"""The ops one at a time, as programs but for a few that torch computes better.

``selective_scan`` works on sequences, not on rows of pixels: it is a function by itself.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import pixel_shuffle as shuffle

from esr_kernels import _C
from esr_kernels.backends import references

from ..layout import memory_format
from ..lowering.eager import EagerPrograms
from .builder import MAX_FACTOR, MAX_SOURCES, OP_SET, formatted, isa, threads

_programs = EagerPrograms(OP_SET)


def _run(op: str, *args, out: Tensor | None = None):
    return _programs.run(op, *args, variant=isa(), out=out)


def conv_act(inputs, weight, bias, act, slope, residual, out: Tensor | None = None):
    like = inputs[0]
    if weight.shape[-1] == 1 and like.dtype == torch.float32:
        # By itself it is one matrix product, and laying the picture out for the kernel takes longer
        # than that: torch is 1.1 to 4 times as fast.
        y = references["conv_act"](inputs, weight, bias, act, slope, residual)
        return y if out is None else out.copy_(y)
    if len(inputs) > MAX_SOURCES:
        inputs = [torch.cat(inputs, 1)]
    return _run("conv_act", inputs, weight, bias, act, slope, residual, out=out)


def depthwise3x3_act(x, *args):
    if memory_format(x) == torch.channels_last:
        # Torch's own reads such pictures as they lie. Laying one out for the kernel, and back,
        # takes longer than the whole op there: torch is 3 to 20 times as fast.
        return references["depthwise3x3_act"](x, *args)
    return _run("depthwise3x3_act", x, *args)


spab = partial(_run, "spab")
esa = partial(_run, "esa")


def conv3x3_pixel_shuffle(x, weight, bias, upscale_factor, skip):
    if upscale_factor <= MAX_FACTOR:
        return _run("conv3x3_pixel_shuffle", x, weight, bias, upscale_factor, skip)
    y = _run("conv_act", [x.float()], weight, bias, "none", 0.0, None)
    y = shuffle(y, upscale_factor)
    if skip is not None:
        n = upscale_factor
        y = y + skip.float().repeat_interleave(n, 2).repeat_interleave(n, 3)
    return formatted(y, x, x.dtype)


def selective_scan(c, delta, A, B, K, D):
    sequences = [x.detach().to(torch.float32) for x in (c, delta, B, K)]
    A, D = (x.detach().to(torch.float32).contiguous() for x in (A, D))
    out = torch.empty(c.shape, dtype=torch.float32, device=c.device)
    views = [(x.data_ptr(), *x.stride()) for x in sequences]
    addresses = A.data_ptr(), D.data_ptr(), out.data_ptr()
    _C.selective_scan(*views, *addresses, (*c.shape, A.shape[1]), threads(), isa())
    return out.to(c.dtype)
