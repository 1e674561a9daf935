"""The networks of the model benchmarks, with official weights where this machine has them."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cache

import torch
from torch import nn

import esr_kernels
from esr_kernels import models
from esr_kernels.benchmark.problem import Problem
from tests.images import image

#: Name in the tables -> (name for ``load``, the same network without weights).
NETWORKS = {
    "SPAN-28": ("span", lambda: models.SPAN(28)),
    "SPAN-26": ("span-26", lambda: models.SPAN(26)),
    "RLFN": ("rlfn", lambda: models.RLFN(46, mid=48)),
}
#: Height and width of the picture that goes in.
SIZES = ((256, 256), (339, 510))


@cache
def problem(name: str, height: int, width: int) -> Problem:
    """One network on one picture; the same object for every number of threads."""
    module, weights = _network(name)
    return Problem(
        f"{name} {height}x{width}",
        module,
        (image(1, 3, height, width, seed=7),),
        lambda: esr_kernels.accelerate(copy.deepcopy(module)),
        weights,
    )


@cache
def bfloat16_problem(name: str, height: int, width: int) -> Problem:
    """The same in bfloat16, for results that may be as far from float64 as torch's own are."""
    usual = problem(name, height, width)
    return replace(
        usual,
        ours=lambda: esr_kernels.accelerate(
            copy.deepcopy(usual.module), compute_dtype=torch.bfloat16
        ),
        dtype=torch.bfloat16,
    )


def other_networks() -> list[str]:
    """Names of all the networks that ``load`` knows but those above."""
    above = {official for official, _ in NETWORKS.values()}
    return [info.name for info in models.list_models() if info.name not in above]


@cache
def is_here(official: str) -> bool:
    """Return true if the official weights are on this machine: a benchmark downloads nothing."""
    rows = esr_kernels.info().weights
    return any(name == official and here and "official" in where for name, here, where in rows)


@cache
def _network(name: str) -> tuple[nn.Module, str]:
    official, build = NETWORKS.get(name, (name, None))
    if build is None or is_here(official):
        return models.load(official, weights="official"), "official"
    return seeded(build), "seeded"  # and the table says so


@torch.no_grad()
def seeded(build) -> nn.Module:
    """A network with drawn weights, whose last layer is scaled so that it gives pictures.

    The deviation of its result is brought to 0.25, about that of a photograph in [0, 1].
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = build().eval().requires_grad_(False)
    last = module.upsampler[0]
    factor = 0.25 / module(image(1, 3, 32, 32)).std()
    last.weight.mul_(factor)
    last.bias.mul_(factor)
    return module
