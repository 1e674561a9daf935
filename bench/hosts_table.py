"""The table of docs/hosts.md, from the newest kept result that has the hosts in it."""

from __future__ import annotations

from collections.abc import Sequence

from esr_kernels.benchmark.tables import ratios
from esr_kernels.output.tables import markdown_table

#: The sides of pictures that have a column, as ``bench/hosts.py`` asks for them.
SIZES_PX = (96, 256)
THREADS = 2
#: Kinds of steps left in torch that a row names.
_NAMED = 4


def hosts_table(result: dict) -> str:
    """Markdown: a row per architecture, the one that gains least first."""
    rows: dict[str, dict[int, dict]] = {}
    for case in hosts_cases(result):
        rows.setdefault(case["case"].split(" ")[0], {})[case["asked_px"]] = case
    by_gain = sorted(rows.items(), key=lambda row: min(map(gain, row[1].values())))
    columns = [f"{px}x{px}" for px in SIZES_PX]
    head = ["architecture", "explain", "left in torch", "in programs", *columns]
    cells = [_row(name, cases) for name, cases in by_gain]
    machine = result["machine"]
    return (
        f"{markdown_table([head, *cells], left=3)}\n"
        f"{machine['cpu']}; kernels: {machine['kernels']}; float32, drawn weights, {THREADS} "
        f"threads; torch {machine['torch']}; {machine['date']}, commit {machine['commit']}, "
        f"`{machine['command']}`."
    )


def hosts_cases(result: dict) -> list[dict]:
    """The cases of a result that the table is made of."""
    cases = (c for c in result["cases"] if c["group"] == "hosts")
    return [case for case in cases if case["threads"] == THREADS]


def gain(case: dict) -> float:
    """The time of the better plain form, divided by ours."""
    return min(ratios(case).values())


def newest(results: Sequence[dict]) -> dict | None:
    """The last result with hosts in it, by date; None if there is none."""
    having = [result for result in results if hosts_cases(result)]
    return max(having, key=lambda result: result["machine"]["date"], default=None)


def _row(name: str, cases: dict[int, dict]) -> list[str]:
    parts = next(iter(cases.values()))["parts"]
    left = [f"{step} {times}" for step, times in parts["left"].items()]
    more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
    share = f"{parts['fast']} of {parts['steps']}"
    gains = [f"{gain(cases[px]):.2f}x" if px in cases else "" for px in SIZES_PX]
    title = parts["title"].replace(", float32 on cpu", "").replace("|", "/")
    return [name, title, ", ".join(left[:_NAMED]) + more, share, *gains]
