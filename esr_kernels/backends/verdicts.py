"""Verdicts on kernels that run on a device: each is checked there once, in a process of its own.

A wrong kernel costs speed and never a picture; an illegal address, a hang or a missing image costs
a refusal and never the user's process. What the checks found is kept on disk for this GPU, driver,
torch, triton and build of the package.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from ..output.files import cache_folder, write_whole
from .check_process import START, Outcome, is_transient, run

PACKAGE = Path(__file__).resolve().parents[1]
#: A GPU whose memory is in use may have some later; until then it is not asked again and again.
RETRY_S = 60.0


@dataclass(frozen=True)
class Verdict:
    """Outcomes of all checks of one backend, device and kind of numbers."""

    date: str
    outcomes: tuple[Outcome, ...]
    made_s: float = field(default_factory=time.monotonic, compare=False)

    def refusal(self, op: str) -> str | None:
        """Return why ``op`` is refused: the first failed check of a kernel that it runs."""
        return self._refusals.get(op) or self._refusals.get(START)

    @cached_property
    def _refusals(self) -> dict[str, str]:
        """By op, and ``START`` for all ops: asked at every eager call."""
        found: dict[str, str] = {}
        for o in self.outcomes:
            for op in (*o.ops, *([START] if o.name == START else ())) if o.reason else ():
                found.setdefault(op, f"{o.name}: {o.reason}")
        return found

    @property
    def is_final(self) -> bool:
        """False if a check had too little memory, or none began: that is nothing about a kernel."""
        return not any(o.reason and is_transient(o.reason) for o in self.outcomes)


_known: dict[tuple[str, torch.device, str], Verdict] = {}


def verdict(backend: str, device: torch.device, numbers: str) -> Verdict:
    """Return the outcomes of a backend's checks on a device, from disk if they are known.

    Args:
        backend: its name.
        device: a GPU.
        numbers: what is checked, as ``esr_kernels.device_check`` knows it: a dtype, or
            ``half_sums``.
    """
    key = backend, device, numbers
    found = _known.get(key)
    if found is None:
        found = _read(_path(backend, device), numbers)
    elif not found.is_final and time.monotonic() - found.made_s > RETRY_S:
        found = None
    if found is None:
        found = check(backend, device, numbers)
    _known[key] = found
    return found


def first_refusal(
    backend: str, ops: Collection[str], device: torch.device, kinds: Sequence[str]
) -> str | None:
    """Return why the first of these ops that failed on the device is refused, None if none did.

    Args:
        backend: its name.
        ops: names; where there are none, nothing is checked.
        device: a GPU.
        kinds: of numbers, see :func:`verdict`.
    """
    verdicts = [verdict(backend, device, numbers) for numbers in kinds] if ops else []
    return next(filter(None, (v.refusal(op) for v in verdicts for op in ops)), None)


def recheck(backend: str, device: torch.device, kinds: Sequence[str]) -> None:
    """Make the verdicts on these kinds of numbers anew."""
    forget(backend, device)
    for numbers in kinds:
        verdict(backend, device, numbers)


def check(backend: str, device: torch.device, numbers: str) -> Verdict:
    """Run the checks now, whatever is known, and keep the outcome on disk if it is final."""
    arguments = backend, str(device.index or 0), numbers
    made = Verdict(datetime.date.today().isoformat(), tuple(run(arguments)))
    if made.is_final:
        _write(_path(backend, device), numbers, made)
    return made


def known(backend: str, device: torch.device) -> dict[str, Verdict]:
    """Return the verdicts that are on disk, by kind of numbers; checks nothing."""
    path = _path(backend, device)
    found = {numbers: _read(path, numbers) for numbers in _content(path)}
    return {numbers: verdict for numbers, verdict in found.items() if verdict}


def history(backend: str, names: Sequence[str], before: str) -> list[tuple[str, str]]:
    """Return ``(name, what it has passed)`` for kernels, on the first GPU of this machine.

    Args:
        backend: its name.
        names: of the outcomes.
        before: what all have passed without a GPU.
    """
    states: dict[str, str] = {}
    if torch.cuda.is_available():
        device = torch.device("cuda", 0)
        gpu = torch.cuda.get_device_name(device)
        for made in known(backend, device).values():
            for outcome in made.outcomes:
                # Behind a comma stands what is peculiar about one of a form's checks.
                name = outcome.name.partition(",")[0]
                if outcome.reason:
                    states[name] = f"refused: {outcome.reason}"
                elif not states.get(name, "").startswith("refused"):
                    passed = f"passed on {gpu}, {made.date}"
                    states[name] = passed if outcome.fits else f"does not fit {gpu}"
    return [(name, states.get(name, f"{before}; never run on a GPU")) for name in names]


def summary(rows: Sequence[tuple[str, str]]) -> str:
    """Return a phrase on the rows of :func:`history`: how many are in which state."""
    states = Counter(state.partition(":")[0] for _, state in rows)
    return ", ".join(f"{count} of {len(rows)} forms {state}" for state, count in states.items())


def forget(backend: str, device: torch.device) -> None:
    """Drop the verdicts on this device, in memory and on disk."""
    _path(backend, device).unlink(missing_ok=True)
    for key in [key for key in _known if key[:2] == (backend, device)]:
        del _known[key]


def _path(backend: str, device: torch.device) -> Path:
    name = hashlib.sha256(json.dumps(_identity(backend, device)).encode()).hexdigest()[:16]
    return cache_folder() / "device_checks" / f"{backend}-{name}.json"


@cache
def _identity(backend: str, device: torch.device) -> dict[str, str]:
    """All that a verdict depends on."""
    try:
        triton = version("triton")
    except PackageNotFoundError:
        triton = "none"
    capability = "{}.{}".format(*torch.cuda.get_device_capability(device))
    return {
        "backend": backend,
        "gpu": f"{torch.cuda.get_device_name(device)}, {capability}",
        "driver": _driver(),
        "torch": torch.__version__,
        "triton": triton,
        "build": _build(backend),
    }


def _driver() -> str:
    table = Path("/proc/driver/nvidia/version")
    if table.exists():
        return table.read_text(errors="replace").partition("\n")[0]
    return str(torch.version.cuda)


def _build(backend: str) -> str:
    """A digest of the backend's code: its Python sources, and the compiled module."""
    files = [*sorted((PACKAGE / "backends").rglob("*.py")), *sorted(PACKAGE.glob("_C*"))]
    digest = hashlib.sha256(backend.encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _content(path: Path) -> dict:
    """Verdicts on disk; empty for a file that is missing, damaged or of another machine."""
    try:
        content = json.loads(path.read_bytes())
        verdicts = content["verdicts"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return verdicts if isinstance(verdicts, dict) else {}


def _read(path: Path, numbers: str) -> Verdict | None:
    try:
        entry = _content(path)[numbers]
        outcomes = [Outcome(**{**row, "ops": tuple(row["ops"])}) for row in entry["outcomes"]]
        return Verdict(str(entry["date"]), tuple(outcomes))
    except (KeyError, TypeError):
        return None


def _write(path: Path, numbers: str, made: Verdict) -> None:
    outcomes = [asdict(o) for o in made.outcomes]
    verdicts = _content(path) | {numbers: {"date": made.date, "outcomes": outcomes}}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, (json.dumps({"verdicts": verdicts}, indent=1) + "\n").encode())
    except OSError:  # no home, or a full one: the next process checks again
        return
