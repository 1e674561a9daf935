"""Plots of a leaderboard: runtime against PSNR, and the scores as bars."""

from __future__ import annotations

from ..output.figures import as_file, new_figure
from .ranking import Leaderboard, Row
from .results import title

_AREA_PER_GFLOP = 12  # square points
_LONGEST = 1e3  # the longest bar; exp(2 x) is not bounded
_BAR, _DOTS = "#b8c4d6", {"runtime": "#c0392b", "params": "#2874a6", "flops": "#239b56"}


def draw(board: Leaderboard, kind: str) -> bytes:
    """Draw both plots of a leaderboard side by side.

    Left: mean runtime against the PSNR of the first split, with areas in proportion to FLOPs and
    the ranks of the main track as labels. Right: the score of the main track as a bar, those of the
    sub-tracks as dots. The plots show the ranked networks, or all if none is ranked, and the
    baseline, whose label is its initial.

    Args:
        board: The leaderboard.
        kind: "png" or "svg".

    Returns:
        The content of the file.

    Raises:
        ValueError: matplotlib is not installed.
    """
    rows = [row for row in board.rows if row.ranks] or list(board.rows)
    height = max(5.0, 1.5 + 0.25 * len(rows))
    figure = new_figure(15, height)
    left, right = figure.subplots(1, 2)
    _runtime_against_psnr(left, [*rows, board.baseline], board.splits[0])
    _scores(right, [board.baseline, *reversed(rows)])
    return as_file(figure, kind)


def _runtime_against_psnr(axes, rows: list[Row], split: str) -> None:
    for row in rows:
        entrant = row.entrant
        if split not in entrant.psnr_dB:
            continue
        x, y = entrant.costs.runtime_ms, entrant.psnr_dB[split]
        area = _AREA_PER_GFLOP * entrant.costs.flops_G
        axes.scatter(x, y, s=area, color=_BAR, edgecolor="black", linewidth=0.5, alpha=0.8)
        axes.annotate(_place(row), (x, y), fontsize=7, ha="center", va="center")
    axes.set_xscale("log")
    axes.set_xlabel("mean runtime [ms]; area: FLOPs")
    axes.set_ylabel(f"{title(split)} PSNR [dB]")
    axes.grid(alpha=0.3)


def _scores(axes, rows: list[Row]) -> None:
    places = range(len(rows))
    axes.barh(places, [min(row.scores.main, _LONGEST) for row in rows], color=_BAR)
    for track, colour in _DOTS.items():
        values = [min(getattr(row.scores, track), _LONGEST) for row in rows]
        axes.scatter(values, places, s=14, color=colour, label=track, zorder=3, clip_on=False)
    names = [f"{row.entrant.name}   {_place(row)}   {row.scores.main:.3g}" for row in rows]
    axes.set_yticks(places, names, fontsize=8)
    axes.set_xscale("log")
    axes.set_xlim(1, _LONGEST)
    axes.set_xlabel(f"score, less is better, cut at {_LONGEST:.0f}; bars: main track")
    axes.legend(loc="upper right", fontsize=8)


def _place(row: Row) -> str:
    return str(row.ranks["main"]) if row.ranks else row.entrant.name[:1]
