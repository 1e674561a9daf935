"""From results to tables: the terminal's after a run, and the README's.

    python bench/report.py            # README.md from the kept results, the newest of each machine
    python bench/report.py --keep     # first keep results/latest.json as <cpu>_<commit>.json

Needs nothing but Python, and no benchmark is run.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
RESULTS = PROJECT / "bench" / "results"
README = PROJECT / "README.md"
START, END = "<!-- bench:start -->", "<!-- bench:end -->"
OURS = "ours"
#: Column of the README -> contestant.
COLUMNS = {
    "eager": "eager",
    "eager, channels_last": "channels_last",
    "torch.compile": "torch.compile",
    "ONNX Runtime": "ONNX Runtime",
    "OpenVINO": "OpenVINO",
    "ncnn": "ncnn",
}
_NETWORKS = ("SPAN-28", "RLFN")


def ratios(case: dict) -> dict[str, float]:
    """How many times ours each rival takes: above 1 means that ours is faster."""
    ms = case["ms"]
    return {name: value / ms[OURS] for name, value in ms.items() if name != OURS}


def shares(case: dict) -> dict[str, float]:
    """Limit / ours for each limit: 1 would be all that the hardware has."""
    return {name: limit / case["ms"][OURS] for name, limit in case["limits_ms"].items()}


def terminal_tables(result: dict) -> str:
    """One table per group: ms of each contestant with its ratio to ours, and shares of limits."""
    parts = [_terminal_table(group, cases) for group, cases in _groups(result["cases"]).items()]
    parts.append(_left_out(result["cases"]))
    parts.append(_machine(result["machine"]))
    return "\n\n".join(part for part in parts if part)


def _terminal_table(group: str, cases: Sequence[dict]) -> str:
    rivals = list(dict.fromkeys(name for case in cases for name in ratios(case)))
    rows = [[group, "threads", "ours ms", *rivals, "of direct", "of F(4x4)", "rounds", "weights"]]
    for case in cases:
        ratio, share = ratios(case), shares(case)
        rows.append(
            [
                case["case"],
                str(case["threads"]),
                _ms(case["ms"][OURS]),
                *(f"{_ms(case['ms'][r])} {ratio[r]:5.2f}x" if r in ratio else "-" for r in rivals),
                f"{share['direct']:.0%}",
                f"{share['winograd']:.0%}",
                str(case["rounds"]),
                case["weights"],
            ]
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def _groups(cases: Sequence[dict]) -> dict[str, list[dict]]:
    groups: dict[str, list[dict]] = {}
    for case in cases:
        groups.setdefault(case["group"], []).append(case)
    return groups


def _left_out(cases: Sequence[dict]) -> str:
    """Who did not take part and why, each reason with the cases it holds for."""
    reasons: dict[str, list[str]] = {}
    for case in cases:
        for name, reason in case["left_out"].items():
            where = f"{case['case']} on {case['threads']}"
            reasons.setdefault(f"{name} left out: {reason}", []).append(where)
    lines = []
    for reason, where in reasons.items():
        more = f" and {len(where) - 2} more" if len(where) > 2 else ""
        lines.append(f"{reason} ({', '.join(where[:2])}{more})")
    return "\n".join(lines)


def _machine(machine: dict) -> str:
    peers = "".join(f", {name} {number}" for name, number in machine["peers"].items())
    measured = "; ".join(
        f"{threads} thread{'s' if threads != '1' else ''}: "
        f"{m['gflops']:.0f} GFLOP/s at best, {m['gbytes_s']:.0f} GB/s copying"
        for threads, m in sorted(machine["measured"].items())
    )
    return (
        f"{machine['cpu']}; kernels: {machine['kernels']}; {machine['dtype']}\n"
        f"torch {machine['torch']}{peers}; Python {machine['python']}\n"
        f"commit {machine['commit']}, {machine['date']}; {machine['command']}\n{measured}"
    )


def _ms(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def readme_table(result: dict) -> str:
    """Markdown: a row per network, size and threads; ours in ms, the others as ratios to ours."""
    cases = _readme_cases(result["cases"])
    columns = [c for c, name in COLUMNS.items() if any(name in case["ms"] for case in cases)]
    head = ["network", "picture", "threads", "ours, ms", *columns]
    lines = [_row(head), _row(["---", "---", *["---:"] * (len(head) - 2)])]
    for case in cases:
        network, size = case["case"].split(" ")
        ratio = ratios(case)
        cells = [f"{ratio[COLUMNS[c]]:.1f}x" if COLUMNS[c] in ratio else "" for c in columns]
        ours = f"**{_ms(case['ms'][OURS])}**"
        lines.append(_row([network, size, str(case["threads"]), ours, *cells]))
    machine = result["machine"]
    peers = "".join(f", {name} {number}" for name, number in machine["peers"].items())
    weights = " and ".join(sorted({case["weights"] for case in cases}))
    return "\n".join(lines) + (
        f"\n\n{machine['cpu']}; kernels: {machine['kernels']}; {machine['dtype']}, {weights} "
        f"weights; torch {machine['torch']}{peers}; {machine['date']}, commit "
        f"{machine['commit']}, `{machine['command']}`. Ratios: the other's time divided by ours, "
        "medians of rounds in which all take turns; before that, every result is held to the "
        "tests' tolerance. Pictures are height x width."
    )


def _readme_cases(cases: Sequence[dict]) -> list[dict]:
    """The networks' cases, from the contest with the peers where there was one."""
    chosen = {(c["case"], c["threads"]): c for c in cases if c["group"] == "models"}
    chosen |= {(c["case"], c["threads"]): c for c in cases if c["group"] == "peers"}
    wanted = [c for c in chosen.values() if c["case"].split(" ")[0] in _NETWORKS]
    seen = list(dict.fromkeys(c["case"] for c in wanted))  # sizes in the order they were run

    def place(case: dict) -> tuple[int, int, int]:
        network = _NETWORKS.index(case["case"].split(" ")[0])
        return network, seen.index(case["case"]), case["threads"]

    return sorted(wanted, key=place)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def newest_per_machine(results: Sequence[dict]) -> list[dict]:
    """The last result of each processor, by date; of equal dates the later in the sequence."""
    newest: dict[str, dict] = {}
    for result in sorted(results, key=lambda r: r["machine"]["date"]):
        newest[result["machine"]["cpu"]] = result
    return list(newest.values())


def write_readme(readme: Path, tables: str) -> None:
    """Put ``tables`` between the two markers of ``readme``.

    Raises:
        ValueError: the markers are not there, or not in order.
    """
    text = readme.read_text()
    start, end = text.find(START), text.find(END)
    if start < 0 or end < start:
        raise ValueError(f"{readme} has no place for the table: write {START} and {END} into it")
    readme.write_text(f"{text[: start + len(START)]}\n{tables}\n{text[end:]}")


def keep(results: Path) -> Path:
    """Copy ``latest.json`` to ``<cpu>_<commit>.json``, and return that path.

    Raises:
        FileNotFoundError: there is no ``latest.json``.
    """
    latest = results / "latest.json"
    if not latest.exists():
        raise FileNotFoundError(f"no {latest}: run pytest bench/ --benchmark-only first")
    text = latest.read_text()
    machine = json.loads(text)["machine"]
    cpu = re.sub(r"[^a-z0-9]+", "-", machine["cpu"].split(" (")[0].lower()).strip("-")
    target = results / f"{cpu}_{machine['commit']}.json"
    target.write_text(text)
    return target


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write the README's table from kept results.")
    parser.add_argument("--keep", action="store_true", help="first keep the latest result")
    options = parser.parse_args(arguments)
    try:
        if options.keep:
            print(f"kept as {keep(RESULTS)}")
        kept = sorted(path for path in RESULTS.glob("*.json") if path.name != "latest.json")
        if not kept:
            raise FileNotFoundError(f"no results in {RESULTS}: run the benchmarks, then --keep")
        newest = newest_per_machine([json.loads(path.read_text()) for path in kept])
        write_readme(README, "\n\n".join(map(readme_table, newest)))
    except (FileNotFoundError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"table written to {README}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
