"""Records of cases as lines of JSON, within a budget of time."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...device_check import FAULT, is_usable


class Record:
    """A file of cases, appended one by one.

    Args:
        path: The file; lines that are there stay.
        budget_s: Seconds from now on after which cases are skipped.
    """

    def __init__(self, path: Path, budget_s: float):
        self._path = path
        self._budget_s = budget_s
        self._began_s = time.monotonic()

    def add(self, kind: str, case: str, **found: Any) -> None:
        """Append a line."""
        line = {"kind": kind, "case": case, "at_s": round(self.elapsed_s, 1), **found}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    @property
    def elapsed_s(self) -> float:
        """Seconds since the record was made."""
        return time.monotonic() - self._began_s

    def run(self, kind: str, case: str, measure: Callable[[], dict[str, Any]]) -> None:
        """Append what ``measure`` returns, or how it fails; skip it if there is no time left.

        A case that is recorded already, by a process before this one, is not measured again. A
        fault that stays with the device ends the process: status ``FAULT``.
        """
        if any(line["case"] == case for line in self.lines()):
            return
        if self.elapsed_s > self._budget_s:
            self.add(kind, case, skipped=f"no time left of {self._budget_s:g} s")
            return
        try:
            found = measure()
        except Exception as error:  # rivals, compilers and drivers raise what they like
            found = {"failed": f"{type(error).__name__}: {error}"[:300]}
        self.add(kind, case, **found)
        if "failed" in found and not is_usable():
            sys.exit(FAULT)

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines so far."""
        return read(self._path) if self._path.exists() else []


def read(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a record; a last line that was cut off is left out."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def summary(lines: list[dict[str, Any]]) -> str:
    """Format the lines of a record: one per timing or failure, and how many cases passed."""
    timed = [n for n in lines if "ms" in n]
    wrong = [n for n in lines if n.get("failed") or n.get("skipped")]
    passed = sum(1 for n in lines if n.get("passed"))
    width = max((len(n["case"]) for n in (*timed, *wrong)), default=0)
    rows = [f"{n['case']:{width}}  {n['ms']['median']:9.3f} ms{_spread(n['ms'])}" for n in timed]
    rows += [f"{n['case']:{width}}  {_why(n)}" for n in wrong]
    return "\n".join(
        [*rows, f"{passed} passed, {len(timed)} timed, {len(wrong)} failed or skipped"]
    )


def _spread(ms: dict[str, float]) -> str:
    return f"  ({ms['p10']:.3f} to {ms['p90']:.3f})"


def _why(line: dict[str, Any]) -> str:
    return f"FAILED {line['failed']}" if line.get("failed") else f"skipped: {line['skipped']}"
