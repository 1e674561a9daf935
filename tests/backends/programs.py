"""Programs for the tests of the kernels' scheduler, driven without torch's ops in between."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from esr_kernels.backends.cpu import _C


def view(x: Tensor) -> tuple[int, int, int, int, int]:
    """A tensor as the kernels see it: address and strides in floats."""
    return x.data_ptr(), x.stride(0), x.stride(1), x.stride(2), x.stride(3) if x.shape[3] > 1 else 1


class Net:
    """A program with random weights. ``outputs``: channels and factor of each result."""

    def __init__(self, isa: str, seed: int = 0):
        self.program = _C.Program(isa)
        self.draw = np.random.default_rng(seed)
        self.outputs: list[tuple[int, int]] = []
        self.channels: dict[int, int] = {}
        self.layers: list[tuple[Tensor, Tensor]] = []  # weight and bias of conv(), in float64

    def weight(self, out: int, into: int, k: int) -> np.ndarray:
        """So large that maps keep their size from layer to layer."""
        return self.draw.standard_normal((out, into, k, k)) * (1.5 / (into * k * k)) ** 0.5

    def input(self, channels: int, shift: np.ndarray | None = None) -> int:
        value = self.program.input(channels, shift)
        self.channels[value] = channels
        return value

    def conv(self, sources, out: int, k: int = 3, act: str = "silu", residual: int = -1) -> int:
        into = sum(self.channels[s] for s in sources)
        weight, bias = self.weight(out, into, k), self.draw.standard_normal(out) * 0.2
        self.layers.append((torch.from_numpy(weight), torch.from_numpy(bias)))
        value = self.program.conv(sources, weight, bias, act, 0.1, residual)
        self.channels[value] = out
        return value

    def depthwise(self, source: int, act: str = "silu", residual: int = -1) -> int:
        channels = self.channels[source]
        weight, bias = self.weight(channels, 1, 3), self.draw.standard_normal(channels) * 0.2
        value = self.program.depthwise(source, weight, bias, act, 0.1, residual)
        self.channels[value] = channels
        return value

    def esa(self, q: int, hidden: int = 4) -> int:
        """Enhanced spatial attention: steps at three sizes."""
        a = self.conv([q], hidden, 1, "none")
        small = self.max_pool(self.strided(a, hidden), 7, 3)
        e = self.bilinear(self.conv([small], hidden, 3, "none"), q)
        e = self.conv([a], hidden, 1, "none", e)
        return self.conv([e], self.channels[q], 1, "gate", q)

    def strided(self, source: int, out: int, act: str = "none", residual: int = -1) -> int:
        weight, bias = self.weight(out, self.channels[source], 3), self.draw.standard_normal(out)
        self.layers.append((torch.from_numpy(weight), torch.from_numpy(bias)))
        value = self.program.strided_conv(source, weight, bias, act, 0.1, residual)
        self.channels[value] = out
        return value

    def max_pool(self, source: int, kernel: int, stride: int) -> int:
        value = self.program.max_pool(source, kernel, stride)
        self.channels[value] = self.channels[source]
        return value

    def bilinear(self, source: int, like: int) -> int:
        value = self.program.bilinear(source, like)
        self.channels[value] = self.channels[source]
        return value

    def output(self, value: int, factor: int = 1, skip: int = -1) -> None:
        self.program.output(value, factor, skip)
        self.outputs.append((self.channels[value] // factor**2, factor))

    def fresh(self, n: int, height: int, width: int) -> list[Tensor]:
        """Where results go: NaN, so that a pixel never written is seen."""
        return [torch.full((n, c, f * height, f * width), torch.nan) for c, f in self.outputs]

    def __call__(self, *pictures: Tensor, threads: int = 1) -> list[Tensor]:
        n, _, height, width = pictures[0].shape
        results = self.fresh(n, height, width)
        self.run(pictures, results, threads)
        return results

    def run(self, pictures: Sequence[Tensor], results: Sequence[Tensor], threads: int = 1) -> None:
        n, _, height, width = pictures[0].shape
        inputs, outputs = [view(x) for x in pictures], [view(y) for y in results]
        self.program.run(inputs, outputs, n, height, width, threads)


def random_net(isa: str, depth: int, channels: int = 5, seed: int = 0) -> Net:
    """Convolutions that read values from far before, as sources and as residuals; two outputs."""
    pick = random.Random(1000 * depth + seed)
    net = Net(isa, seed)
    values = [net.input(channels)]
    for i in range(depth):
        sources = [values[-1]]
        if i and pick.random() < 0.4:
            sources.append(pick.choice(values))
        out = pick.choice([channels, 6, 7])
        like = [v for v in values if net.channels[v] == out]
        residual = pick.choice(like) if like and pick.random() < 0.5 else -1
        acts = ["none", "relu", "lrelu", "silu", "gelu"] + ["span_gate"] * (residual >= 0)
        k = pick.choice([3, 3, 3, 1])
        values.append(net.conv(sources, out, k, pick.choice(acts), residual))
    net.output(values[-1])
    net.output(values[len(values) // 2])
    return net


def same(ours: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
    """Equal bit for bit, and all written."""
    pairs = list(zip(ours, others, strict=True))
    return all(torch.equal(a, b) and not a.isnan().any() for a, b in pairs)
