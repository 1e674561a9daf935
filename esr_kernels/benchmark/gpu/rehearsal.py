"""A rehearsal of the calls without a GPU: a few checks with faults, and small pictures on the CPU.

As a program it stands in for ``esr_kernels.device_check``.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial

import torch

from ...backends import check_process
from ...device_check import Case, walk
from . import calls, contest
from .record import Record

_SIZES = ((16, 24),)
LIMIT_S = 15.0  # for a check that hangs; importing torch takes seconds


def rehearse(name: str, record: Record) -> None:
    """Run a call with stand-ins."""
    contest.rehearse()
    if name == "forms":
        calls.forms(record, check=_check)
    elif name == "rivals":
        calls.rivals(record, _SIZES[0])
    elif name == "triton":
        calls.triton(record, _SIZES, _check)
    else:
        calls.ours(record, _SIZES)


def _check(backend: str, numbers: str, add: Callable[[check_process.Outcome], None]) -> None:
    module = "esr_kernels.benchmark.gpu.rehearsal"
    check_process.run((backend, "0", numbers), module, LIMIT_S, add)


def _find(name: str) -> str | None:
    faults: dict[str, Callable[[], object]] = {
        "crashes": os.abort,
        "hangs": partial(time.sleep, 600),
    }
    faults.get(name, lambda: None)()
    return "wrong by 1" if name == "is wrong" else None


def main(argv: list[str]) -> None:
    """Check some forms; those of ``cuda 0 float16`` have every kind of fault."""
    done = json.load(sys.stdin)
    names = (
        ["passes", "is wrong", "crashes", "hangs"]
        if argv[::2] == ["cuda", "float16"]
        else ["passes"]
    )
    torch.set_num_threads(1)
    walk(Case(n, ("an op",), partial(_find, n)) for n in names if n not in done)


if __name__ == "__main__":
    main(sys.argv[1:])
