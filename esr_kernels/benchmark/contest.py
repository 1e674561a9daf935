"""Contestants, and the rounds in which they take turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from .problem import Problem
from .tolerance import assert_as_good_as_torch

OURS = "ours"
#: Thread pools keep spinning for a while after a call; a waiting pool would steal the next
#: contestant's cores.
PAUSE_S = 0.01
#: A first call sets up buffers and threads; where that could be most of it, a second one tells how
#: long a round will take.
SHORT_S = 0.2


class LeftOut(Exception):
    """A contestant cannot take part; the text says why."""


@dataclass(frozen=True)
class Implementation:
    """``call`` is what is timed; ``tensors`` turns its result into torch tensors, untimed."""

    call: Callable[[], Any]
    tensors: Callable[[Any], object] = lambda result: result


#: Makes a contestant for a problem and a number of threads. Raises ``LeftOut`` or ``ImportError``.
Factory = Callable[[Problem, int], Implementation]


@dataclass
class Field:
    """Who takes part: checked contestants, who is left out and why, and what a round costs."""

    ready: dict[str, Implementation]
    left_out: dict[str, str]
    round_s: float


def prepare(problem: Problem, threads: int, factories: Mapping[str, Factory]) -> Field:
    """Make every contestant and hold its result to the tolerance rule of the tests.

    One that is not installed, fails or is less exact is left out with the reason; ours must pass.

    Raises:
        AssertionError: our own result is not as good as torch's.
    """
    field = Field({}, {}, 0.0)
    for name, make in factories.items():
        try:
            contestant = make(problem, threads)
            result, seconds = timed(contestant.call)
            if seconds < SHORT_S:
                result, seconds = timed(contestant.call)
            check(contestant.tensors(result), problem)
        except Exception as error:  # rivals raise what they like
            if name == OURS:
                raise
            field.left_out[name] = reason(error)
            continue
        field.ready[name] = contestant
        field.round_s += seconds + PAUSE_S
    return field


def timed(call: Callable[[], object]) -> tuple[object, float]:
    """``call``'s result and how many seconds it took."""
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def check(result: object, problem: Problem) -> None:
    """Every tensor of ``result`` keeps the tolerance rule against plain torch and float64."""
    tensors = (tree_leaves(part) for part in (result, problem.plain, problem.exact))
    for ours, plain, exact in zip(*tensors, strict=True):
        assert_as_good_as_torch(ours, plain, exact)


def reason(error: Exception) -> str:
    """Why a contestant is left out, in one line."""
    if isinstance(error, ImportError):
        return "not installed"
    first = next(iter(str(error).strip().splitlines()), "")
    return first[:160] if isinstance(error, LeftOut) else f"{type(error).__name__}: {first[:120]}"


def rounds_for(round_s: float, least: int, time_s: float, most: int = 50) -> int:
    """As many rounds as ``time_s`` allows, at least ``least`` and at most ``most``."""
    return max(least, min(most, int(time_s / round_s)))


def rivals_round(rivals: Mapping[str, Implementation], times_s: dict[str, list[float]]) -> Callable:
    """A function that times each rival once and appends to ``times_s``.

    Each round starts with another rival, so that nobody always follows the same neighbour.
    """
    names = list(rivals)
    turn = 0

    def run() -> None:
        nonlocal turn
        start_at = turn % max(len(names), 1)
        turn += 1
        for name in names[start_at:] + names[:start_at]:
            time.sleep(PAUSE_S)
            times_s[name].append(timed(rivals[name].call)[1])
        time.sleep(PAUSE_S)

    return run


def record(
    group: str, problem: Problem, threads: int, field: Field, times_s: dict[str, list[float]]
) -> dict:
    """What is kept of a case; ``times_s``: seconds of every contestant in every round."""
    return {
        "group": group,
        "case": problem.name,
        "threads": threads,
        "weights": problem.weights,
        "rounds": len(times_s[OURS]),
        "ms": {name: quantiles_ms(times, 0.5)[0] for name, times in times_s.items()},
        "spread_ms": {name: quantiles_ms(times, 0.1, 0.9) for name, times in times_s.items()},
        "left_out": field.left_out,
    }


def quantiles_ms(times_s: list[float], *at: float) -> list[float]:
    """Quantiles, 0.5 the median, of times in seconds, in milliseconds."""
    times_ms = 1e3 * torch.tensor(times_s, dtype=torch.float64)
    return times_ms.quantile(torch.tensor(at, dtype=torch.float64)).tolist()


def as_tensor(array) -> Tensor:
    """A batch from what a runtime returns as ``[N, C, H, W]`` or ``[C, H, W]``."""
    tensor = torch.as_tensor(array)
    return tensor if tensor.dim() == 4 else tensor[None]
