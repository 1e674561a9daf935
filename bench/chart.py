"""The README's chart: ours beside its rivals on SPAN and RLFN, as SVG.

One file for light and dark pages: it brings a background of its own and asks the reader's browser
which of the two is wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from esr_kernels.benchmark.contest import OURS
from esr_kernels.benchmark.tables import ms_text, ratios

NETWORKS = ("SPAN-28", "RLFN")
#: Label of a row -> contestant.
RIVALS = {
    "PyTorch": "eager",
    "PyTorch, channels_last": "channels_last",
    "torch.compile": "torch.compile",
    "ONNX Runtime": "ONNX Runtime",
    "OpenVINO": "OpenVINO",
    "ncnn": "ncnn",
}
_OURS_LABEL = "esr_kernels"

# All lengths are in pixels.
_WIDTH, _MARGIN, _LABELS, _GAP = 860, 28, 168, 26
_COLUMN = (_WIDTH - 2 * _MARGIN - _LABELS - _GAP) / 2
_BAR_MOST = _COLUMN - 104  # beside the longest bar there is room for its time and ratio
_TITLE, _SUBTITLE, _HEAD, _ROW, _BAR, _FOOT = 40, 64, 118, 33, 20, 38

_STYLE = """
  .card { fill: #ffffff; stroke: #d1d9e0 }
  text { font: 14px -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif }
  .title { font-size: 18px; font-weight: 600 }
  .head { font-weight: 600 }
  .title, .head, .time, .label { fill: #1f2328 }
  .ratio, .note { fill: #59636e }
  .note { font-size: 12px }
  .ours { fill: #0969da; font-weight: 600 }
  .rival { fill: #c8d1da }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #3d444d }
    .title, .head, .time, .label { fill: #f0f6fc }
    .ratio, .note { fill: #9198a1 }
    .ours { fill: #4493f8 }
    .rival { fill: #3d4653 }
  }
"""


def chart(result: dict) -> str:
    """SVG of a kept result: a column per network, a row per contestant, shorter is better.

    Shown are the picture size and the number of threads in which the most contestants took part,
    of equal ones those with more threads, then those that were run first.

    Raises:
        ValueError: the result lacks one of the networks.
    """
    cases = _cases(result)
    labels = _by_time(cases[0])
    height = _HEAD + _ROW * len(labels) + _FOOT
    parts = [
        _text(_MARGIN, _TITLE, _title(cases[0]), "title"),
        _text(_MARGIN, _SUBTITLE, "Median time of a picture, less is better", "ratio"),
    ]
    parts += [_label(i, label) for i, label in enumerate(labels)]
    for column, (network, case) in enumerate(zip(NETWORKS, cases, strict=True)):
        left = _MARGIN + _LABELS + column * (_COLUMN + _GAP)
        parts += [_text(left, _HEAD - 14, network.removesuffix("-28"), "head")]
        parts += _bars(left, labels, case)
    parts.append(_text(_MARGIN, height - 18, _note(result["machine"]), "note"))
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" role="img">\n'
        f"<title>{escape(_title(cases[0]))}</title>\n<style>{_STYLE}</style>\n"
        f'<rect class="card" x=".5" y=".5" width="{_WIDTH - 1}" height="{height - 1}" rx="8"/>\n'
        f"{body}\n</svg>\n"
    )


def _cases(result: dict) -> list[dict]:
    """A case of each network, all of the same size and threads."""
    found: dict[tuple[str, int], dict[str, dict]] = {}
    for case in result["cases"]:
        network, _, size = case["case"].partition(" ")
        if network in NETWORKS:
            # The contest with the peers, where there was one, stands after that without.
            found.setdefault((size, case["threads"]), {})[network] = case
    complete = {key: cases for key, cases in found.items() if len(cases) == len(NETWORKS)}
    if not complete:
        raise ValueError(f"no chart: the result has no case of {' and '.join(NETWORKS)} alike")

    def worth(key: tuple[str, int]) -> tuple[int, int]:
        return sum(len(case["ms"]) for case in complete[key].values()), key[1]

    return [complete[max(complete, key=worth)][network] for network in NETWORKS]


def _by_time(case: dict) -> list[str]:
    """The labels of those who took part, the fastest first."""
    names = {_OURS_LABEL: OURS} | RIVALS
    there = [label for label, name in names.items() if name in case["ms"]]
    return sorted(there, key=lambda label: case["ms"][names[label]])


def _bars(left: float, labels: Sequence[str], case: dict) -> list[str]:
    ratio = ratios(case)
    most = max(case["ms"].values())
    parts = []
    for i, label in enumerate(labels):
        name = RIVALS.get(label, OURS)
        middle = _HEAD + _ROW * i + _BAR / 2
        if name not in case["ms"]:
            parts.append(_text(left, middle + 5, "left out", "ratio"))
            continue
        width = _BAR_MOST * case["ms"][name] / most
        kind = "ours" if name == OURS else "rival"
        parts.append(
            f'<rect class="{kind}" x="{left:.1f}" y="{middle - _BAR / 2:.1f}" '
            f'width="{width:.1f}" height="{_BAR}" rx="3"/>'
        )
        time = f"{ms_text(case['ms'][name])} ms"
        beside = f'<tspan class="ratio" dx="8">{ratio[name]:.1f}×</tspan>' if name in ratio else ""
        weight = "time" if name in ratio else "ours"
        parts.append(
            f'<text class="{weight}" x="{left + width + 8:.1f}" y="{middle + 5:.1f}">'
            f"{time}{beside}</text>"
        )
    return parts


def _label(i: int, label: str) -> str:
    kind = "ours" if label == _OURS_LABEL else "label"
    return _text(_MARGIN, _HEAD + _ROW * i + _BAR / 2 + 5, label, kind)


def _title(case: dict) -> str:
    height, width = map(int, case["case"].partition(" ")[2].split("x"))
    threads = f"{case['threads']} CPU thread{'s' if case['threads'] > 1 else ''}"
    return f"From {width}×{height} to {4 * width}×{4 * height} pixels on {threads}"


def _note(machine: dict) -> str:
    versions = {"torch": machine["torch"]} | machine["peers"]
    packages = ", ".join(f"{name} {number}" for name, number in versions.items())
    return f"{machine['cpu']}; {machine['dtype']}; {packages}; {machine['date']}"


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'
