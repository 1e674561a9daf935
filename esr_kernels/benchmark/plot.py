"""A contest as a picture: how long everybody takes."""

from __future__ import annotations

from ..output.figures import as_file, new_figure
from .contest import OURS
from .tables import ms_text

_OURS, _RIVAL = "#2874a6", "#b8c4d6"
_BAR_IN, _FRAME_IN = 0.3, 0.9  # height of a bar, and of what stands around those of a case


def draw(result: dict, kind: str) -> bytes:
    """Bars of the median time of every contestant, as the content of a "png" or "svg" file.

    ``result``: of ``compare``. One plot per size and number of threads, the fastest on top, lines
    from the 10th to the 90th percentile; the title names the machine and the versions. Raises
    ``ValueError`` where matplotlib is missing.
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


def _bars(axes, case: dict) -> None:
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
    peers = "".join(f", {name} {number}" for name, number in machine["peers"].items())
    return (
        f"{machine['cpu']}, {machine['dtype']}\n"
        f"torch {machine['torch']}{peers}; commit {machine['commit']}, {machine['date']}"
    )
