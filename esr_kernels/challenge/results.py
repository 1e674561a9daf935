"""What an evaluation found, and the two files of the official test script that keep it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from ..output.files import write_whole
from ..output.tables import text_table
from .counting import Complexity

# Report, table 1, and the official results.txt.
_TITLES = {"valid": "Val", "test": "Test"}


@dataclass(frozen=True)
class PictureResult:
    """One network on one picture.

    ``psnr``, ``psnr_y``: dB. ``first_ms``: of the first call, as the challenge times it, no warm-up
    before. ``warm_ms``: median of the calls that follow, None without any. ``memory_MiB``: peak
    during the first call, None where it is not known. ``ssim``, ``psnr_y``: None where not wanted.
    """

    name: str
    psnr: float
    first_ms: float
    warm_ms: float | None = None
    memory_MiB: float | None = None
    ssim: float | None = None
    psnr_y: float | None = None


@dataclass
class Evaluation:
    """All about one network: results by split, counts, and the settings they were made with.

    ``complexity`` is None where it could not be counted; ``note`` says why.
    """

    model: str
    settings: dict
    complexity: Complexity | None = None
    note: str = ""
    pictures: dict[str, list[PictureResult]] = field(default_factory=dict)

    def mean(self, split: str, metric: str) -> float | None:
        """Mean over a split's pictures of one field of ``PictureResult``; None if one lacks it."""
        values = [getattr(picture, metric) for picture in self.pictures.get(split, ())]
        return float(np.mean(values)) if values and None not in values else None

    def overall(self, metric: str) -> float | None:
        """Mean over the splits' means, as the report averages its runtimes."""
        means = _known([self.mean(split, metric) for split in self.pictures])
        return float(np.mean(means)) if means else None

    def memory_MiB(self) -> float | None:
        """The largest peak of all pictures."""
        peaks = [p.memory_MiB for pictures in self.pictures.values() for p in pictures]
        return max(_known(peaks), default=None)


def _known(values: list[float | None]) -> list[float]:
    """All of them, or none if one is missing."""
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else []


def read_results(path: Path) -> dict[str, Evaluation]:
    """The evaluations in a ``results.json`` of ``write_results``, by model.

    Raises ``ValueError`` for another file.
    """
    try:
        entries = json.loads(path.read_text())
        return {name: _evaluation(name, entry) for name, entry in entries.items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} holds no results of this program ({error}): choose another folder"
        ) from error


def write_results(folder: Path, evaluations: Iterable[Evaluation]) -> None:
    """Write ``results.json`` and ``results.txt``, each whole or not at all.

    The JSON has the official script's keys, ``<split>_ave_psnr`` and so on, and all that is known
    of every picture under ``pictures``.
    """
    evaluations = list(evaluations)
    entries = {evaluation.model: _entry(evaluation) for evaluation in evaluations}
    write_whole(folder / "results.json", (json.dumps(entries, indent=1) + "\n").encode())
    write_whole(folder / "results.txt", (official_table(evaluations) + "\n").encode())


def official_table(evaluations: Sequence[Evaluation]) -> str:
    """The official ``results.txt``: first calls in ms, parameters and activations in millions."""
    return _table(evaluations, {"psnr": "PSNR", "first_ms": "Time [ms]"})


def full_table(evaluations: Sequence[Evaluation]) -> str:
    """The same with all that was measured: warm runtimes, SSIM and the PSNR of the luma."""
    columns = {
        "psnr": "PSNR",
        "psnr_y": "PSNR-Y",
        "ssim": "SSIM",
        "first_ms": "first [ms]",
        "warm_ms": "warm [ms]",
    }
    pictures = [p for e in evaluations for results in e.pictures.values() for p in results]
    measured = {
        metric: name
        for metric, name in columns.items()
        if any(getattr(picture, metric) is not None for picture in pictures)
    }
    return _table(evaluations, measured)


def _table(evaluations: Sequence[Evaluation], columns: dict[str, str]) -> str:
    """``columns``: field of ``PictureResult`` -> its title."""
    splits = list(dict.fromkeys(s for evaluation in evaluations for s in evaluation.pictures))
    times = [metric for metric in columns if metric.endswith("_ms")] if len(splits) > 1 else []
    head = ["Model", *(f"{title(s)} {name}" for name in columns.values() for s in splits)]
    head += [f"Ave {columns[metric]}" for metric in times]
    rows = [[*head, "Params [M]", "FLOPs [G]", "Acts [M]", "Mem [M]", "Conv"]]
    for evaluation in evaluations:
        row = [evaluation.model]
        for metric in columns:
            digits = 4 if metric == "ssim" else 2
            row += [number(evaluation.mean(split, metric), digits) for split in splits]
        row += [number(evaluation.overall(metric)) for metric in times]
        rows.append(row + _costs(evaluation))
    return text_table(rows)


def _costs(evaluation: Evaluation) -> list[str]:
    memory, c = number(evaluation.memory_MiB(), 0), evaluation.complexity
    if c is None:
        return ["-", "-", "-", memory, "-"]
    millions = number(c.parameters / 1e6, 3), number(c.flops / 1e9), number(c.activations / 1e6)
    return [*millions, memory, str(c.convolutions)]


def title(split: str) -> str:
    """A split's name in tables."""
    return _TITLES.get(split, split)


def number(value: float | None, digits: int = 2) -> str:
    """``value`` with that many decimals, a dash for None."""
    return "-" if value is None else f"{value:.{digits}f}"


def _entry(evaluation: Evaluation) -> dict:
    entry: dict = {}
    for split, pictures in evaluation.pictures.items():
        for key, metric in (("psnr", "psnr"), ("runtime", "first_ms"), ("ssim", "ssim")):
            if evaluation.mean(split, metric) is not None:
                entry[f"{split}_{key}"] = [getattr(picture, metric) for picture in pictures]
                entry[f"{split}_ave_{key}"] = evaluation.mean(split, metric)
        peaks = [picture.memory_MiB for picture in pictures]
        entry[f"{split}_memory"] = max(_known(peaks), default=None)
    if c := evaluation.complexity:
        entry |= {"activations": c.activations / 1e6, "num_conv": c.convolutions}
        entry |= {"flops": c.flops / 1e9, "num_parameters": c.parameters / 1e6}
    return entry | {key: value for key, value in asdict(evaluation).items() if key != "model"}


def _evaluation(name: str, entry: dict) -> Evaluation:
    complexity = entry["complexity"] and Complexity(**entry["complexity"])
    pictures = {
        split: [PictureResult(**result) for result in results]
        for split, results in entry["pictures"].items()
    }
    return Evaluation(name, entry["settings"], complexity, entry["note"], pictures)
