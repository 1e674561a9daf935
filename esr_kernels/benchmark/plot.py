"""The times of a contest as a bar chart."""

from __future__ import annotations

from ..output.figures import as_file, new_figure
from .contest import OURS
from .limits import Case, Result
from .tables import ms_text, versions_text

_OURS, _RIVAL = "#2874a6", "#b8c4d6"
_BAR_IN, _FRAME_IN = 0.3, 0.9  # heights of a bar, and of the frame around the bars of a case


def draw(result: Result, kind: str) -> bytes:
    """Draw the median time of every implementation as bars.

    There is one plot per size and number of threads, with the fastest on top and lines from the
    10th to the 90th percentile. The title names the machine and the versions.

    Args:
        result: The result of ``compare``.
        kind: "png" or "svg".

    Returns:
        The content of the file.

    Raises:
        ValueError: matplotlib is not installed.
    """
    cases = result["cases"]
    heights = [_FRAME_IN + _BAR_IN * len(case["ms"]) for case in cases]
    figure = new_figure(9, sum(heights) + 1)
    plots = figure.subplots(len(cases), squeeze=False, height_ratios=heights)[:, 0]
    for axes, case in zip(plots, cases, strict=True):
        _bars(axes, case)
    plots[-1].set_xlabel("median time [ms], less is better; lines: 10th to 90th percentile")
    figure.suptitle(_title(result["machine"]), fontsize=9)
    return as_file(figure, kind)


def _bars(axes, case: Case) -> None:
    ms = case["ms"]
    names = sorted(ms, key=ms.get)
    medians = [ms[name] for name in names]
    spreads = [case["spread_ms"][name] for name in names]
    below = [median - low for median, (low, _) in zip(medians, spreads, strict=True)]
    above = [high - median for median, (_, high) in zip(medians, spreads, strict=True)]
    colours = [_OURS if name.startswith(OURS) else _RIVAL for name in names]
    axes.barh(names, medians, xerr=(below, above), color=colours, capsize=2)
    for name, median, (_, high) in zip(names, medians, spreads, strict=True):
        label = f"{ms_text(median)} ms, {median / ms[OURS]:.2f}x"
        axes.annotate(label, (high, name), (4, 0), textcoords="offset points", va="center")
    axes.set_xlim(0, 1.25 * max(high for _, high in spreads))
    axes.invert_yaxis()
    threads = case["threads"]
    axes.set_title(f"{case['case']}, {threads} thread{'s' if threads > 1 else ''}", loc="left")
    axes.spines[["top", "right"]].set_visible(False)


def _title(machine: dict) -> str:
    return (
        f"{machine['cpu']}, {machine['dtype']}\n"
        f"{versions_text(machine)}; commit {machine['commit']}, {machine['date']}"
    )
