"""Comparison of one network with every implementation installed here, without pytest."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import nn

from .. import fusion
from ..challenge.sources import Source, resolve
from ..output.progress import bar
from ..pictures import sample
from .contest import prepare, record, rivals_round, rounds_for
from .limits import Case, Result, measure, with_limits
from .peers import PEERS
from .problem import Problem
from .stamp import machine_stamp
from .torch_ways import TORCH_WAYS, per_backend

LEAST_ROUNDS = 5


def compare(
    source: str | os.PathLike | nn.Module,
    sizes: Sequence[tuple[int, int]] = ((256, 256),),
    *,
    threads: Sequence[int] = (),
    time_s: float = 10.0,
    progress: bool = False,
) -> Result:
    """Time a network on this machine's processor beside torch, compilers and other runtimes.

    All implementations are checked against float64 first and then take turns.

    Args:
        source: The network, as in ``challenge.evaluate``.
        sizes: The heights and widths of the picture.
        threads: The numbers of threads to try; torch's own setting if empty.
        time_s: The time for each case. At least 5 rounds are run.
        progress: Draw a progress bar if stderr is a terminal.

    Returns:
        The result that ``tables.terminal_tables`` formats and ``bench/report.py`` puts into the
        README.

    Raises:
        FileNotFoundError, TypeError, ValueError: As in ``challenge.evaluate``.
        AssertionError: Our result is less exact than the tolerance allows.
    """
    found = resolve(source)
    found.module.eval().requires_grad_(False)
    before = torch.get_num_threads()
    counts = threads or (before,)
    machines, cases = {}, []
    try:
        with bar(progress, len(counts) * len(sizes), "contests") as on_contest, torch.no_grad():
            for count in counts:
                torch.set_num_threads(count)
                machines[count] = measure()
                for size in sizes:
                    problem = problem_of(found, size)
                    cases.append((_contest(problem, count, time_s), problem.work))
                    on_contest()
    finally:
        torch.set_num_threads(before)
    return with_limits(cases, machines, machine_stamp("esr-kernels"))


def problem_of(source: Source, size: tuple[int, int]) -> Problem:
    """Make the problem of a network on a drawn picture of this height and width."""
    height, width = size
    picture = sample.draw().resize((width, height), Image.Resampling.BICUBIC)
    x = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] * (source.data_range / 255)
    return Problem(
        f"{source.name} {height}x{width}",
        source.module,
        (x.contiguous(),),
        lambda: fusion.accelerate(copy.deepcopy(source.module)),
        "its own",
    )


def _contest(problem: Problem, threads: int, time_s: float) -> Case:
    field = prepare(problem, threads, TORCH_WAYS | per_backend() | PEERS)
    times_s: dict[str, list[float]] = {name: [] for name in field.ready}
    turns = rivals_round(field.ready, times_s)
    for _ in range(rounds_for(field.round_s, LEAST_ROUNDS, time_s)):
        turns()
    return record("models", problem, threads, field, times_s)
