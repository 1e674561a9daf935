"""Results of an evaluation, and the two files of the official test script that hold them."""

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
    """The result of one network on one picture.

    Attributes:
        name: The name of the picture.
        psnr: PSNR in dB.
        first_ms: The time of the first call, without warm-up, as the challenge measures it.
        warm_ms: The median time of the further calls, None if there were none.
        memory_MiB: The peak during the first call, None if it is not known.
        ssim: SSIM, None if it was not measured.
        psnr_y: PSNR of the luma in dB, None if it was not measured.
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
    """All results of one network.

    Attributes:
        model: The name of the network.
        settings: The settings that the results were made with.
        complexity: The counts, None if counting failed.
        note: The reason for a missing ``complexity``.
        pictures: The results by split.
    """

    model: str
    settings: dict[str, object]
    complexity: Complexity | None = None
    note: str = ""
    pictures: dict[str, list[PictureResult]] = field(default_factory=dict)

    def mean(self, split: str, metric: str) -> float | None:
        """Average one field of ``PictureResult`` over a split; None if a picture lacks it."""
        return _mean([getattr(picture, metric) for picture in self.pictures.get(split, ())])

    def overall(self, metric: str) -> float | None:
        """Average the means of the splits, as the report averages its runtimes."""
        return _mean([self.mean(split, metric) for split in self.pictures])

    def memory_MiB(self) -> float | None:
        """Return the largest peak of all pictures, None if one is not known."""
        return _peak([p for pictures in self.pictures.values() for p in pictures])


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def _peak(pictures: list[PictureResult]) -> float | None:
    known = [p.memory_MiB for p in pictures if p.memory_MiB is not None]
    return max(known) if known and len(known) == len(pictures) else None


def read_results(path: Path) -> dict[str, Evaluation]:
    """Read the evaluations in a ``results.json`` of ``write_results``.

    Returns:
        The evaluations by model.

    Raises:
        ValueError: The file is of another kind.
    """
    try:
        entries = json.loads(path.read_text())
        return {name: _evaluation(name, entry) for name, entry in entries.items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} holds no results of this program ({error}): choose another folder"
        ) from error


def write_results(folder: Path, evaluations: Iterable[Evaluation]) -> None:
    """Write ``results.json`` and ``results.txt`` into ``folder``, each complete or not at all.

    The JSON has the keys of the official script, ``<split>_ave_psnr`` and so on, and under
    ``pictures`` all results of every picture.
    """
    evaluations = list(evaluations)
    entries = {evaluation.model: _entry(evaluation) for evaluation in evaluations}
    write_whole(folder / "results.json", (json.dumps(entries, indent=1) + "\n").encode())
    write_whole(folder / "results.txt", (official_table(evaluations) + "\n").encode())


def official_table(evaluations: Sequence[Evaluation]) -> str:
    """Format the official ``results.txt``.

    Times are those of first calls in ms; parameters and activations are in millions.
    """
    return _table(evaluations, {"psnr": "PSNR", "first_ms": "Time [ms]"})


def full_table(evaluations: Sequence[Evaluation]) -> str:
    """Format ``official_table`` with all measurements: warm runtimes, SSIM, PSNR of the luma."""
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
    """Format a table; ``columns`` maps fields of ``PictureResult`` to titles."""
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
    """Return a split's name in tables."""
    return _TITLES.get(split, split)


def number(value: float | None, digits: int = 2) -> str:
    """Format ``value`` with that many decimals, None as a dash."""
    return "-" if value is None else f"{value:.{digits}f}"


def _entry(evaluation: Evaluation) -> dict[str, object]:
    entry: dict[str, object] = {}
    for split, pictures in evaluation.pictures.items():
        for key, metric in (("psnr", "psnr"), ("runtime", "first_ms"), ("ssim", "ssim")):
            if evaluation.mean(split, metric) is not None:
                entry[f"{split}_{key}"] = [getattr(picture, metric) for picture in pictures]
                entry[f"{split}_ave_{key}"] = evaluation.mean(split, metric)
        entry[f"{split}_memory"] = _peak(pictures)
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
