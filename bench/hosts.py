"""Small forms of spandrel's architectures as problems, and what ``explain`` says of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

import esr_kernels
from esr_kernels.benchmark.limits import Work
from esr_kernels.benchmark.problem import Problem
from tests.hosts.spandrel_networks import HOSTS, Host, default_dtype

#: Sides of the square pictures, rounded up to what a network takes.
SIZES_PX = (96, 256)
#: They move nothing, or no more than the step beside them.
_FREE = frozenset(
    {"view", "reshape", "permute", "transpose", "flatten", "unflatten", "unsqueeze", "squeeze"}
    | {"contiguous", "expand", "split", "chunk", "unbind", "size", "to", "type_as", "clone"}
)


class SameNoise(nn.Module):
    """A network made to draw the same noise at every call; of its results, the tensors."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Any:
        torch.manual_seed(0)
        leaves = tree_leaves(self.network(*inputs))
        return [y for y in leaves if isinstance(y, Tensor)]


@dataclass
class HostProblem(Problem):
    """A problem that may have no result in float64.

    Torch's error is then how far the results of two of its libraries differ.
    """

    host: Host = field(kw_only=True)

    @cached_property
    def plain(self) -> object:
        if not self.host.float32_only:
            return self._run(self.module, self.inputs)
        with torch.backends.mkldnn.flags(enabled=False):
            return self._run(self.module, self.inputs)

    @cached_property
    def exact(self) -> object:
        if self.host.float32_only:
            return tree_map(Tensor.double, self._run(self.module, self.inputs))
        with default_dtype(torch.float64):
            return self._run(self.host.in_float64(), (x.double() for x in self.inputs))

    @cached_property
    def work(self) -> Work:
        try:
            return super().work
        except Exception:  # its code asks for values, which tensors without storage do not have
            return Work(0, 0, 0)

    @staticmethod
    @torch.no_grad()
    def _run(module: Callable, inputs: Any) -> object:
        return module(*inputs)


@cache
def problem(name: str, size_px: int) -> HostProblem:
    """One network on one picture; the same object for every number of threads."""
    host = HOSTS[name]
    side = host.nearest(size_px)

    def timed(network: nn.Module) -> nn.Module:
        return SameNoise(network) if host.float32_only else network

    return HostProblem(
        f"{name} {side}x{side}",
        timed(host.build()),
        host.inputs(side, side, seed=7),
        lambda: timed(esr_kernels.accelerate(host.build())),
        host=host,
    )


@cache
def parts(name: str) -> dict[str, Any]:
    """What ``explain`` says of a network, in short.

    ``title``: its title. ``fast``, ``steps``: how many of its lines a fast backend computes, of how
    many. ``left``: what torch computes, with the number of times, the most frequent first.
    """
    network = HOSTS[name].build()
    report = esr_kernels.explain(esr_kernels.accelerate(network))
    left: Counter[str] = Counter()
    fast = 0
    for line in report.lines:
        if line.backend not in ("", "reference"):
            fast += 1
        elif line.what == "torch":
            left.update(one for one in line.detail.split(", ") if one not in _FREE)
        elif line.what == "as it is":
            left[f"{type(network.get_submodule(line.path)).__name__} as it is"] += 1
        elif line.backend:
            left[line.what] += 1
    steps = fast + left.total()
    return {"title": report.title, "fast": fast, "steps": steps, "left": dict(left.most_common())}
