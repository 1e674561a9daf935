"""Limits of the hardware, arithmetic and memory, measured in the same run.

Peak arithmetic is the better of ``torch.mm`` on two float32 matrices of 2048 x 2048 and of a direct
3x3 convolution of 256 to 256 channels on 64 x 64 pixels. Both, because their libraries differ in
which instructions they use on which maker's processors. Bandwidth is that of a copy between two
tensors of 256 MiB, with both directions counted. All are measured before every case, and the best
of the whole run counts. So these are figures that a good library reaches on this machine at this
time, not those of a data sheet.

A limit in ms is the larger of arithmetic / peak and bytes / bandwidth, where bytes are inputs,
weights and results moved once. The *direct* limit counts every multiplication of the convolutions;
the *F(4x4)* limit counts a quarter of those in 3x3 convolutions of stride 1, as Winograd's
F(4x4, 3x3) needs 36 for 16 outputs instead of 144, and nothing for its transforms. Activations
count as nothing in both.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

#: The record of one case: a problem, a number of threads, and the times of all implementations.
Case = dict[str, Any]
#: The machine and the cases, as they are kept in a file.
Result = dict[str, Any]

WINOGRAD_SAVING = 4  # 16 outputs x 9 taps, in 36 multiplications


@dataclass(frozen=True)
class Work:
    """Multiply-adds of 3x3 convolutions of stride 1 and of all others, and bytes moved."""

    winograd_macs: int
    other_macs: int
    bytes: int


@dataclass(frozen=True)
class Machine:
    """Measured speed: float32 operations per second (an FMA is two) and bytes per second."""

    flops: float
    bandwidth: float


class _CountConvolutions(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.winograd_macs = self.other_macs = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if func is torch.ops.aten.convolution.default:
            weight, stride = args[1], args[3]
            macs = result.numel() * weight[0].numel()
            if tuple(weight.shape[2:]) == (3, 3) and tuple(stride) == (1, 1):
                self.winograd_macs += macs
            else:
                self.other_macs += macs
        return result


def count_work(module: nn.Module, inputs: tuple[Tensor, ...]) -> Work:
    """Count the work of a module by running it on tensors without storage."""
    with torch.no_grad(), _CountConvolutions() as count:
        result = copy.deepcopy(module).to("meta")(*(x.to("meta") for x in inputs))
    moved = [*inputs, *module.parameters(), *tree_leaves(result)]
    total = sum(t.numel() * t.element_size() for t in moved)
    return Work(count.winograd_macs, count.other_macs, total)


def limits_ms(work: Work, machine: Machine) -> dict[str, float]:
    """Compute both limits of this module: ``{"direct": ms, "winograd": ms}``."""
    memory = work.bytes / machine.bandwidth
    direct = 2 * (work.winograd_macs + work.other_macs) / machine.flops
    winograd = 2 * (work.winograd_macs / WINOGRAD_SAVING + work.other_macs) / machine.flops
    return {"direct": 1e3 * max(direct, memory), "winograd": 1e3 * max(winograd, memory)}


def with_limits(
    cases: Iterable[tuple[Case, Work]], machines: Mapping[int, Machine], stamp: dict[str, object]
) -> Result:
    """Assemble a result.

    Args:
        cases: The cases, each with its work.
        machines: The measured speed by number of threads.
        stamp: The result of ``machine_stamp``.
    """
    measured = {
        str(threads): {"gflops": m.flops / 1e9, "gbytes_s": m.bandwidth / 1e9}
        for threads, m in machines.items()
    }
    limited = [
        case | {"limits_ms": limits_ms(work, machines[case["threads"]])} for case, work in cases
    ]
    return {"machine": stamp | {"measured": measured}, "cases": limited}


def measure(before: Machine | None = None) -> Machine:
    """Measure torch on its current number of threads; this takes about half a second.

    Args:
        before: An earlier measurement; the better of both is returned.
    """
    n, channels, side = 2048, 256, 64
    a, b, c = (torch.rand(n, n) for _ in range(3))
    mm_s = _best(lambda: torch.mm(a, b, out=c), 2)
    x = torch.rand(1, channels, side, side).contiguous(memory_format=torch.channels_last)
    w = torch.rand(channels, channels, 3, 3).contiguous(memory_format=torch.channels_last)
    conv_s = _best(lambda: F.conv2d(x, w, padding=1), 5)
    flops = max(2 * n**3 / mm_s, 2 * side**2 * w.numel() / conv_s)
    source = torch.zeros(2**26)
    target = torch.zeros_like(source)
    bandwidth = 2 * source.nbytes / _best(lambda: target.copy_(source), 3)
    if before is None:
        return Machine(flops, bandwidth)
    return Machine(max(flops, before.flops), max(bandwidth, before.bandwidth))


def _best(call: Callable[[], object], times: int) -> float:
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best
