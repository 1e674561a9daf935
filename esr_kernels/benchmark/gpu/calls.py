"""The calls: which cases each has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from ...backends import check_process
from ...backends.check_process import Outcome
from ...fusion.cuda_graphs import LARGEST_PX
from ...ops import CONV_ACT
from ..problem import Problem
from . import contest
from .record import Record

SIZES = ((256, 256), (339, 510), (720, 1280), (1080, 1920))
NUMBERS = ("float16", "bfloat16", "tf32", "half_sums")
#: Checks a backend's kernels for a kind of numbers, and calls back with each outcome.
Checker = Callable[[str, str, Callable[[Outcome], None]], object]


def forms(record: Record, backend: str = "cuda", check: Checker | None = None) -> None:
    """Check every compiled form of a backend's kernels on the device."""

    def add(outcome: Outcome) -> None:
        found = {"failed": outcome.reason} if outcome.reason else {"passed": outcome.fits}
        record.add("form", f"{backend} {outcome.name}", **found)

    kinds = NUMBERS if backend == "cuda" else ("float16", "bfloat16", "tf32", "float32")
    for numbers in kinds:
        (check or _check)(backend, numbers, add)


def _check(backend: str, numbers: str, add: Callable[[Outcome], None]) -> None:
    check_process.run((backend, "0", numbers), on_outcome=add, most_faults=40)


def ours(record: Record, sizes=SIZES, backend: str = "cuda") -> None:
    """Time SPAN-28 in float16: at each size fused and apart, with and without a CUDA graph.

    Pictures of more than ``LARGEST_PX`` pixels never run as a graph.
    """
    for height, width in sizes:
        case = contest.network("span", height, width)
        for fusion in ("auto", "fused", "apart") if backend == "cuda" else ("auto",):
            graphed = [] if height * width > LARGEST_PX else [f"ours {backend} fp16, CUDA graph"]
            for name in (f"ours {backend} fp16", *graphed):
                title = f"{case.name}, {name}, {fusion}"
                context = forced(fusion=fusion) if fusion != "auto" else nullcontext()
                measure = partial(_timed, case, contest.WAYS[name], context)
                record.run("network", title, measure)


def rivals(record: Record, size=(339, 510)) -> None:
    """Time everybody at one size: each by itself, then, in the same rounds, all in turns."""
    case = contest.network("span", *size)
    for name, way in contest.WAYS.items():
        record.run("rival", f"{case.name}, {name}", partial(_timed, case, way, nullcontext()))
    if contest.DEVICE.type == "cuda":  # a rehearsal has no buffer to empty caches with
        record.run("turns", f"{case.name}, in turns", partial(_in_turns, case))


def triton(record: Record, sizes=SIZES, check: Checker | None = None) -> None:
    """Check Triton's kernels, then time SPAN-28 with them."""
    forms(record, "triton", check)
    ours(record, sizes, "triton")


CALLS: dict[str, Callable[..., None]] = {
    "forms": forms,
    "ours": ours,
    "rivals": rivals,
    "triton": triton,
}


def _in_turns(case: Problem) -> dict[str, Any]:
    return {"passed": True, "turns": contest.contest("models", case)}


def _timed(case: Problem, way: contest.Way, context) -> dict[str, Any]:
    with context, torch.no_grad():
        if reason := way.refusal(CONV_ACT):
            return {"skipped": reason}
        call = way.prepare(case)
        contest.check(call(), way, case)
        return {"passed": True, "ms": contest.timed(call)}


@contextmanager
def forced(**force: Any) -> Iterator[None]:
    """Build CUDA programs of these kernel forms within the context; see their ``Builder``."""
    from ...backends.cuda import builder

    usual = builder.OP_SET
    builder.OP_SET = replace(usual, builder=partial(builder.Builder, **force))
    try:
        yield
    finally:
        builder.OP_SET = usual
