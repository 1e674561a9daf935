"""Ranking of evaluated networks by the challenge's rules, and the report's own table 1."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from statistics import mean

from .dataset import OFFICIAL_SPLITS
from .scoring import TRACKS, Costs, Scores, qualifies, ranks, score

#: Prefixes of the columns of table1.csv, by split.
_COLUMNS = {"valid": "val", "test": "test"}
_BASELINE_ID = "0"


@dataclass(frozen=True)
class Entrant:
    """A network in the ranking.

    Attributes:
        name: The name in the leaderboard.
        psnr_dB: Mean PSNR by split.
        runtime_ms: Mean runtime by split.
        costs: The costs that the score is made of.
        printed: Score and rank by track as the report prints them, empty for other networks. A rank
            is None where the report gives none.
    """

    name: str
    psnr_dB: dict[str, float]
    runtime_ms: dict[str, float]
    costs: Costs
    printed: dict[str, tuple[float, int | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One row of a leaderboard.

    Attributes:
        entrant: The network.
        scores: Its scores.
        ranks: Its rank by track, empty for the baseline and where PSNR is below a threshold.
    """

    entrant: Entrant
    scores: Scores
    ranks: dict[str, int]


@dataclass(frozen=True)
class Leaderboard:
    """A ranking.

    Attributes:
        rows: The ranked networks from the best down, then the others.
        baseline: The network that the scores relate to.
    """

    rows: tuple[Row, ...]
    baseline: Row

    @property
    def splits(self) -> list[str]:
        """All splits of all rows, the challenge's own first."""
        found = {split for row in (*self.rows, self.baseline) for split in row.entrant.psnr_dB}
        others = sorted(found - set(OFFICIAL_SPLITS))
        return [split for split in OFFICIAL_SPLITS if split in found] + others


def leaderboard(entrants: Iterable[Entrant], baseline: Entrant | None = None) -> Leaderboard:
    """Score every entrant against a baseline, and rank those whose PSNR is high enough.

    Args:
        entrants: The networks. Those without a rank keep their order.
        baseline: The report's RLFN if None. Its runtime is that of one NVIDIA RTX 3090, so a
            runtime score is meaningful only with the same network timed on the same machine.
    """
    entrants, baseline = list(entrants), baseline or paper_baseline()
    scores = [score(entrant.costs, baseline.costs) for entrant in entrants]
    ranked = [i for i, entrant in enumerate(entrants) if qualifies(entrant.psnr_dB)]
    places: list[dict[str, int]] = [{} for _ in entrants]
    for track in TRACKS:
        track_ranks = ranks([getattr(scores[i], track) for i in ranked])
        for i, place in zip(ranked, track_ranks, strict=True):
            places[i][track] = place
    rows = [Row(*row) for row in zip(entrants, scores, places, strict=True)]
    rows.sort(key=lambda row: row.ranks.get("main", math.inf))
    return Leaderboard(tuple(rows), Row(baseline, score(baseline.costs, baseline.costs), {}))


def paper() -> list[Entrant]:
    """Return the 34 teams of the report's table 1, in its order."""
    return [_team(row) for row in _table() if row["id"] != _BASELINE_ID]


def paper_baseline() -> Entrant:
    """Return the baseline in the last row of the report's table 1."""
    return next(_team(row) for row in _table() if row["id"] == _BASELINE_ID)


def read_entrants(paths: Sequence[str | os.PathLike]) -> list[Entrant]:
    """Read the networks in ``results.json`` files of ``evaluate`` or of the official test script.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A file is of another kind, a network has no FLOPs, or a name appears twice.
    """
    found: dict[str, Entrant] = {}
    for path in map(Path, paths):
        if not path.is_file():
            raise FileNotFoundError(f"no results at {path}: esr-kernels evaluate writes them")
        for entrant in _entrants(path):
            if entrant.name in found:
                raise ValueError(f"{path} holds a second result of {entrant.name}")
            found[entrant.name] = entrant
    return list(found.values())


def _table() -> list[dict[str, str]]:
    text = (resources.files(__package__) / "table1.csv").read_text()
    return list(csv.DictReader(text.splitlines()))


def _team(row: dict[str, str]) -> Entrant:
    printed = {
        track: (float(row[f"{track}_score"]), int(row[f"{track}_rank"] or 0) or None)
        for track in TRACKS
    }
    return Entrant(
        row["team"],
        {split: float(row[f"{column}_psnr_dB"]) for split, column in _COLUMNS.items()},
        {split: float(row[f"{column}_ms"]) for split, column in _COLUMNS.items()},
        Costs(float(row["ave_ms"]), float(row["params_M"]), float(row["flops_G"])),
        printed,
    )


def _entrants(path: Path) -> list[Entrant]:
    try:
        entries = json.loads(path.read_text())
        return [_entrant(name, entry) for name, entry in entries.items()]
    except KeyError as error:
        raise ValueError(f"{path}: a network has no {error}, which its score needs") from error
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{path} cannot be ranked: {error}") from error


def _entrant(name: str, entry: dict) -> Entrant:
    suffix = "_ave_psnr"
    splits = [key.removesuffix(suffix) for key in entry if key.endswith(suffix)]
    if not splits:
        raise ValueError(f"{name} has no PSNR of any split")
    psnr = {split: float(entry[f"{split}_ave_psnr"]) for split in splits}
    runtime = {split: float(entry[f"{split}_ave_runtime"]) for split in splits}
    costs = Costs(mean(runtime.values()), float(entry["num_parameters"]), float(entry["flops"]))
    return Entrant(name, psnr, runtime, costs)
