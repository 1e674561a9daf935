"""The process that checks kernels, watched from outside: it may crash or hang.

It prints a line of JSON before and after each check, so that the check that ends it is known. After
a crash or a hang it is started again without the checks that have an outcome.
"""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

#: For one check: a compiler may need most of it.
LIMIT_S = 60.0
#: Crashes and hangs after which the rest is not tried.
MOST_FAULTS = 5
START = "start"
#: Begins the reason of a process that the system did not start, perhaps only this time.
UNSTARTED = "no process could be started"
#: The process finds its modules where this one does, and not first in the current folder, as it
#: would with ``python -m``: a file there may have the name of a module.
_PROGRAM = (
    "import sys; sys.path[:] = sys.argv.pop(1).splitlines(); "
    "import runpy; runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)


@dataclass(frozen=True)
class Outcome:
    """Outcome of one check.

    Attributes:
        name: of the kernel form, or of the op.
        ops: names of the ops that run this kernel.
        reason: why they must not, None if the check passed.
        fits: false for a form that this GPU cannot launch, which nothing can run then.
    """

    name: str
    ops: tuple[str, ...]
    reason: str | None
    fits: bool = True


def is_transient(reason: str) -> bool:
    """Return true for a reason that may not hold the next time."""
    return "out of memory" in reason.lower() or reason.startswith(UNSTARTED)


def run(
    arguments: Sequence[str],
    module: str = "esr_kernels.device_check",
    limit_s: float = LIMIT_S,
    on_outcome: Callable[[Outcome], None] = lambda outcome: None,
    most_faults: int = MOST_FAULTS,
) -> list[Outcome]:
    """Run a module as a program to its end, over crashes and hangs.

    Args:
        arguments: of the module.
        module: takes a JSON list of names on stdin: checks to leave out. Prints ``{"begin": name,
            "ops": [...]}`` before a check, ``{"end": name, "reason": ..., "fits": ...}`` after it,
            and ``{"finished": true}`` at last.
        limit_s: seconds without a line after which the process is killed.
        on_outcome: called with each outcome as it is known.
        most_faults: crashes and hangs after which the rest is not tried.

    Returns:
        One outcome per check. A check in which the process ended has the signal, exit status or
        time limit as its reason. ``start`` is an outcome, too, of a process that cannot be started,
        that ends before its first check, or that ended too often.
    """
    outcomes: list[Outcome] = []

    def note(outcome: Outcome) -> None:
        outcomes.append(outcome)
        on_outcome(outcome)

    for _ in range(most_faults):
        known = len(outcomes)
        try:
            process = _start(arguments, module, [o.name for o in outcomes])
        except OSError as error:
            note(Outcome(START, (), f"{UNSTARTED}: {error}"))
            return outcomes
        fault, begun = _watch(process, limit_s, note)
        if fault is None:
            return outcomes
        if begun is not None:
            note(Outcome(*begun, fault))
        elif len(outcomes) == known:  # else it ended after a check that broke the device
            note(Outcome(START, (), fault))
            return outcomes
    note(Outcome(START, (), f"{most_faults} checks ended their process"))
    return outcomes


def _watch(
    process: subprocess.Popen, limit_s: float, note: Callable[[Outcome], None]
) -> tuple[str | None, tuple[str, tuple[str, ...]] | None]:
    """Read one process to its end; return what ended it early, and the check that was going on."""
    begun: tuple[str, tuple[str, ...]] | None = None
    errors = _Tail(process)
    for line in _lines(process, limit_s):
        if line is None:
            process.kill()
            process.wait()
            return f"timed out after {limit_s:g} s", begun
        if "finished" in line:
            process.wait()
            return None, None
        if "begin" in line:
            begun = line["begin"], tuple(line["ops"])
        elif begun and "end" in line:
            note(Outcome(*begun, line["reason"], line.get("fits", True)))
            begun = None
    return _cause(process.wait(), errors.text()), begun


def _start(arguments: Sequence[str], module: str, done: list[str]) -> subprocess.Popen:
    if not sys.executable or getattr(sys, "frozen", False):
        raise OSError("this program has no Python interpreter that runs modules")
    path = [*map(str, sys.path), str(Path(__file__).resolve().parents[2])]
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, "\n".join(path), module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(done))
        process.stdin.close()
    except BrokenPipeError:  # it is gone already; its exit status says why
        pass
    return process


def _lines(process: subprocess.Popen, limit_s: float) -> Iterator[dict | None]:
    """Yield the process's lines of JSON; None if none came in time."""
    received: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for text in process.stdout:
            received.put(text)
        received.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            text = received.get(timeout=limit_s)
        except queue.Empty:
            yield None
            return
        if text is None:
            return
        line = None
        with suppress(ValueError):  # others may print, too
            line = json.loads(text)
        if isinstance(line, dict):
            yield line


class _Tail:
    """The end of what a process writes to stderr."""

    def __init__(self, process: subprocess.Popen) -> None:
        self._lines: list[str] = []
        self._thread = threading.Thread(target=self._read, args=[process.stderr], daemon=True)
        self._thread.start()

    def _read(self, stream) -> None:
        for line in stream:
            self._lines = [*self._lines[-9:], line.strip()]

    def text(self) -> str:
        self._thread.join(timeout=1)
        return next((line for line in reversed(self._lines) if line), "")


def _cause(status: int, last_words: str) -> str:
    if status < 0:
        return f"ended its process by {signal.Signals(-status).name}"
    return f"ended its process with exit status {status}: {last_words}".rstrip(": ")
