"""A leaderboard for a terminal, for Markdown, for a spreadsheet and as a picture."""

from __future__ import annotations

from pathlib import Path

from ..output.files import write_whole
from ..output.tables import Rows, csv_table, markdown_table, text_table
from .ranking import Leaderboard, Row
from .results import number, title
from .scoring import TRACKS

_TRACK_TITLES = {"runtime": "Runtime", "params": "Params", "flops": "FLOPs", "main": "Main"}
_NAMES = 2  # columns of words: the rank and the team


def as_text(board: Leaderboard) -> str:
    """For a terminal: scores with ranks, beside what the report prints where it does."""
    return text_table(_rows(board), left=_NAMES)


def as_markdown(board: Leaderboard) -> str:
    """The same table in Markdown."""
    return markdown_table(_rows(board), left=_NAMES)


def as_csv(board: Leaderboard) -> str:
    """One row for each network, the baseline last: numbers in full, scores and ranks apart."""
    head = ["rank", "name"]
    head += [f"{split}_{what}" for what in ("psnr_dB", "runtime_ms") for split in board.splits]
    head += ["runtime_ms", "params_M", "flops_G"]
    head += [f"{track}_{what}" for track in TRACKS for what in ("score", "rank")]
    rows = [head]
    for row in (*board.rows, board.baseline):
        entrant, costs = row.entrant, row.entrant.costs
        cells: list[object] = [row.ranks.get("main", ""), entrant.name]
        cells += [entrant.psnr_dB.get(split, "") for split in board.splits]
        cells += [entrant.runtime_ms.get(split, "") for split in board.splits]
        cells += [costs.runtime_ms, costs.params_M, costs.flops_G]
        for track in TRACKS:
            cells += [getattr(row.scores, track), row.ranks.get(track, "")]
        rows.append([str(cell) for cell in cells])
    return csv_table(rows)


def save(path, board: Leaderboard) -> None:
    """Write a leaderboard to ``path``: ``.md``, ``.csv``, or ``.png`` and ``.svg`` for the plots.

    Whole or not at all. Raises ``ValueError`` for another suffix, and where matplotlib is missing.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind in (".png", ".svg"):
        from .plots import draw

        content = draw(board, kind[1:])
    elif kind in (".md", ".csv"):
        content = (as_markdown if kind == ".md" else as_csv)(board).encode()
    else:
        raise ValueError(f"{path}: a leaderboard is written as .md, .csv, .png or .svg")
    write_whole(path, content)


def _rows(board: Leaderboard) -> Rows:
    printed = any(row.entrant.printed for row in board.rows)
    splits = [title(split) for split in board.splits]
    head = ["Rank", "Team", *(f"{s} PSNR" for s in splits), *(f"{s} ms" for s in splits)]
    head += [*(["Ave ms"] if len(splits) > 1 else []), "Params [M]", "FLOPs [G]"]
    for name in _TRACK_TITLES.values():
        head += [name, "printed"] if printed else [name]
    return [head, *(_cells(row, board, printed) for row in (*board.rows, board.baseline))]


def _cells(row: Row, board: Leaderboard, printed: bool) -> list[str]:
    entrant, costs = row.entrant, row.entrant.costs
    cells = [str(row.ranks.get("main", "-")), entrant.name]
    cells += [number(entrant.psnr_dB.get(split)) for split in board.splits]
    cells += [number(entrant.runtime_ms.get(split)) for split in board.splits]
    cells += [number(costs.runtime_ms)] if len(board.splits) > 1 else []
    cells += [number(costs.params_M, 3), number(costs.flops_G)]
    for track in TRACKS:
        cells.append(_score(getattr(row.scores, track), row.ranks.get(track)))
        if printed:
            cells.append(_score(*entrant.printed[track]) if entrant.printed else "-")
    return cells


def _score(value: float, rank: int | None) -> str:
    text = f"{value:.2f}" if value < 1e3 else f"{value:.3e}"
    return f"{text} ({rank})" if rank else text
