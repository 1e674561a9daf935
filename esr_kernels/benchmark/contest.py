"""Contests: implementations of one problem, checked first and then timed in turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from .limits import Case
from .problem import Problem
from .tolerance import assert_as_good_as_torch

OURS = "ours"
#: The pause between two calls. Thread pools keep spinning for a while after a call, and would take
#: the cores of the next implementation.
PAUSE_S = 0.01
#: A first call sets up buffers and threads. Where it is shorter than this, a second call tells how
#: long a round will take.
SHORT_S = 0.2


class LeftOut(Exception):
    """An implementation cannot take part; the text gives the reason."""


@dataclass(frozen=True)
class Implementation:
    """One way of computing a problem.

    Attributes:
        call: The function that is timed.
        tensors: Converts the result of ``call`` to torch tensors, untimed.
    """

    call: Callable[[], object]
    tensors: Callable[[Any], object] = lambda result: result


#: Makes an implementation for a problem and a number of threads. Raises ``LeftOut`` or
#: ``ImportError`` where it cannot take part.
Factory = Callable[[Problem, int], Implementation]


@dataclass
class Field:
    """The implementations of a contest.

    Attributes:
        ready: Those that were checked, by name.
        left_out: The reasons of those that do not take part, by name.
        round_s: The time of one round.
        psnr_db: How near to float64 the results are, of numbers in [0, 1].
    """

    ready: dict[str, Implementation]
    left_out: dict[str, str]
    round_s: float
    psnr_db: dict[str, float]


def prepare(problem: Problem, threads: int, factories: Mapping[str, Factory]) -> Field:
    """Make every implementation and check its result against the tolerance of the tests.

    One that is not installed, fails or is less exact is left out, with the reason; ours must pass.

    Args:
        problem: The problem to compute.
        threads: The number of threads to use.
        factories: The makers of the implementations, by name.

    Raises:
        AssertionError: Our own result is less exact than the tolerance allows.
    """
    field = Field({}, {}, 0.0, {})
    for name, make in factories.items():
        try:
            implementation = make(problem, threads)
            result, seconds = timed(implementation.call)
            if seconds < SHORT_S:
                result, seconds = timed(implementation.call)
            tensors = implementation.tensors(result)
            check(tensors, problem)
        except Exception as error:  # a rival may raise anything
            if name == OURS:
                raise
            field.left_out[name] = reason(error)
            continue
        field.ready[name] = implementation
        field.psnr_db[name] = psnr_db(tensors, problem.exact)
        field.round_s += seconds + PAUSE_S
    return field


def timed(call: Callable[[], object]) -> tuple[object, float]:
    """Time ``call``; return its result and the seconds it took."""
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def check(result: object, problem: Problem) -> None:
    """Check every tensor of ``result`` against plain torch and float64, by the tolerance rule."""
    tensors = (tree_leaves(part) for part in (result, problem.plain, problem.exact))
    for ours, plain, exact in zip(*tensors, strict=True):
        assert_as_good_as_torch(ours, plain, exact)


def psnr_db(result: object, exact: object) -> float:
    """``-10 log10`` of the mean square distance over all tensors."""
    pairs = zip(tree_leaves(result), tree_leaves(exact), strict=True)
    squares = torch.cat([(x.double() - y).square().flatten() for x, y in pairs])
    return -10 * torch.log10(squares.mean()).item()


def reason(error: Exception) -> str:
    """Summarise an error in one line."""
    if isinstance(error, ImportError):
        return "not installed"
    first = next(iter(str(error).strip().splitlines()), "")
    return first[:160] if isinstance(error, LeftOut) else f"{type(error).__name__}: {first[:120]}"


def rounds_for(round_s: float, least: int, time_s: float, most: int = 50) -> int:
    """Return the number of rounds that fit into ``time_s``, within ``least`` and ``most``."""
    return max(least, min(most, int(time_s / round_s)))


def rivals_round(
    rivals: Mapping[str, Implementation], times_s: dict[str, list[float]]
) -> Callable[[], None]:
    """Make a function that times each rival once and appends the seconds to ``times_s``.

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
) -> Case:
    """Summarise one case for the result file.

    Args:
        group: The table that the case belongs to.
        problem: The problem that was computed.
        threads: The number of threads.
        field: The implementations.
        times_s: The seconds of every implementation in every round.
    """
    return {
        "group": group,
        "case": problem.name,
        "threads": threads,
        "weights": problem.weights,
        "rounds": len(times_s[OURS]),
        "ms": {name: quantiles_ms(times, 0.5)[0] for name, times in times_s.items()},
        "spread_ms": {name: quantiles_ms(times, 0.1, 0.9) for name, times in times_s.items()},
        "dtype": str(problem.dtype).removeprefix("torch."),
        "psnr_db": field.psnr_db,
        "left_out": field.left_out,
    }


def quantiles_ms(times_s: list[float], *at: float) -> list[float]:
    """Compute quantiles, 0.5 being the median, of times in seconds; return milliseconds."""
    times_ms = 1e3 * torch.tensor(times_s, dtype=torch.float64)
    return times_ms.quantile(torch.tensor(at, dtype=torch.float64)).tolist()


def as_tensor(array: object) -> Tensor:
    """Convert a runtime's ``[N, C, H, W]`` or ``[C, H, W]`` to a batch."""
    tensor = torch.as_tensor(array)
    return tensor if tensor.dim() == 4 else tensor[None]
