"""Checks of a backend's kernels on a device; a program that ``backends.check_process`` starts.

    python -m esr_kernels.device_check cuda 0 float16 <<< '[]'

A kernel may end or hang the process that runs it: so this one does nothing else.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch

from .backends.self_check import disagreement, mismatch
from .op import Op
from .ops import OPS

#: Exit status of a process in which the device computes no more.
FAULT = 3


@dataclass(frozen=True)
class Case:
    """A kernel to check.

    Attributes:
        name: of the kernel form, or of the op.
        ops: names of the ops that run it.
        find: returns what is wrong, None if nothing is.
        unfit: returns why the device cannot launch it, None if it can.
    """

    name: str
    ops: tuple[str, ...]
    find: Callable[[], str | None]
    unfit: Callable[[], str | None] = lambda: None


def main(argv: list[str]) -> int:
    """Run the checks of ``backend device numbers``; see ``backends.check_process.run``."""
    backend, index, numbers = argv
    done = set(json.load(sys.stdin))
    cases = CASES[backend](torch.device("cuda", int(index)), numbers)
    walk(case for case in cases if case.name not in done)
    return 0


def walk(cases: Iterable[Case]) -> None:
    """Check case by case, with a line before and after each.

    A fault of the device stays with the process: after one, it exits with status ``FAULT``.
    """
    for case in cases:
        _say(begin=case.name, ops=case.ops)
        if case.unfit() is not None:
            _say(end=case.name, reason=None, fits=False)
            continue
        reason = case.find()
        _say(end=case.name, reason=reason)
        if reason and not is_usable():
            sys.exit(FAULT)
    _say(finished=True)


def _say(**line: object) -> None:
    print(json.dumps(line), flush=True)


def is_usable() -> bool:
    """Return whether the device still computes."""
    if not torch.cuda.is_available():
        return True
    try:
        return bool(torch.ones(1, device="cuda").add(1).item() == 2)
    except RuntimeError:
        return False


def _triton(device: torch.device, numbers: str) -> Iterator[Case]:
    """One check per op and dtype; TF32 where ``numbers`` says so."""
    from .backends import gpu, triton

    dtype = _dtype(numbers)
    torch.backends.cudnn.allow_tf32 = numbers == "tf32"

    def find(op: Op) -> Callable[[], str | None]:
        run = triton.implementation(op)
        return lambda: disagreement(op, run, device, dtype, gpu.rounding(dtype))

    for op in OPS:
        if op.name in triton.COMPUTED:
            yield Case(f"{op.name} {numbers}", (op.name,), find(op))


def _cuda(device: torch.device, numbers: str) -> Iterator[Case]:
    """One check per form in which kernels are compiled."""
    from .backends.cuda import forms

    def case(form: forms.Form) -> Case:
        def find() -> str | None:
            return mismatch(
                lambda: forms.run(form, device),
                lambda: forms.expected(form, form.rounding),
                lambda: forms.expected(form),
                form.rounding,
            )

        return Case(form.name, form.runs_in, find, lambda: forms.unfit(form, device))

    for form in forms.forms(OPS):
        if form.numbers == numbers:
            yield case(form)


def _dtype(numbers: str) -> torch.dtype:
    return torch.float32 if numbers == "tf32" else getattr(torch, numbers)


#: Backend -> its cases on a device, for a kind of numbers.
CASES: dict[str, Callable[[torch.device, str], Iterator[Case]]] = {"triton": _triton, "cuda": _cuda}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
