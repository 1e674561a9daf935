"""From kept results to what readers see: tables of docs/benchmarks.md and hosts.md, the chart.

    python bench/report.py            # all, from the newest result of each machine
    python bench/report.py --keep     # first keep results/latest.json as <cpu>_<commit>.json
    python bench/report.py --keep F   # first keep F, written by esr-kernels bench

No benchmark is run.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))  # as a script it is started in bench/

from bench.chart import NETWORKS, chart  # noqa: E402
from bench.hosts_table import hosts_table, newest  # noqa: E402
from esr_kernels.benchmark.contest import OURS  # noqa: E402
from esr_kernels.benchmark.tables import ms_text, ratios  # noqa: E402

RESULTS = PROJECT / "bench" / "results"
PAGE = PROJECT / "docs" / "benchmarks.md"
HOSTS_PAGE = PROJECT / "docs" / "hosts.md"
CHART = PROJECT / "docs" / "speed.svg"
LATEST = "latest.json"
START, END = "<!-- bench:start -->", "<!-- bench:end -->"
#: Column of a table -> contestant.
COLUMNS = {
    "eager": "eager",
    "eager, channels_last": "channels_last",
    "torch.compile": "torch.compile",
    "ONNX Runtime": "ONNX Runtime",
    "OpenVINO": "OpenVINO",
    "OpenVINO, as it comes": "OpenVINO's default",
    "ncnn": "ncnn",
}
_UNSHOWN = ("SPAN-26",)  # as SPAN-28, a little faster


def result_table(result: dict) -> str:
    """Markdown: a row per network, size and threads; ours in ms, the others as ratios to ours."""
    cases = _shown_cases(result["cases"])
    columns = [c for c, name in COLUMNS.items() if any(name in case["ms"] for case in cases)]
    head = ["network", "picture", "threads", "ours, ms", *columns]
    lines = [_row(head), _row(["---", "---", *["---:"] * (len(head) - 2)])]
    for case in cases:
        network, size = case["case"].split(" ")
        ratio = ratios(case)
        cells = [f"{ratio[COLUMNS[c]]:.1f}x" if COLUMNS[c] in ratio else "" for c in columns]
        ours = f"**{ms_text(case['ms'][OURS])}**"
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


def _shown_cases(cases: Sequence[dict]) -> list[dict]:
    """The networks' cases, from the contest with the peers where there was one."""
    chosen = {(c["case"], c["threads"]): c for c in cases if c["group"] == "models"}
    chosen |= {(c["case"], c["threads"]): c for c in cases if c["group"] == "peers"}
    wanted = [c for c in chosen.values() if c["case"].split(" ")[0] not in _UNSHOWN]
    networks = list(dict.fromkeys([*NETWORKS, *(c["case"].split(" ")[0] for c in wanted)]))
    seen = list(dict.fromkeys(c["case"] for c in wanted))  # sizes in the order they were run

    def place(case: dict) -> tuple[int, int, int]:
        network = networks.index(case["case"].split(" ")[0])
        return network, seen.index(case["case"]), case["threads"]

    return sorted(wanted, key=place)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def newest_per_machine(results: Sequence[dict]) -> list[dict]:
    """The last result of each processor, by date; of equal dates the later in the sequence.

    Results of other networks or pictures stand beside it, and do not replace it.
    """
    last: dict[tuple, dict] = {}
    for result in sorted(results, key=lambda r: r["machine"]["date"]):
        cases = frozenset(case["case"] for case in _shown_cases(result["cases"]))
        if cases:
            last[result["machine"]["cpu"], cases] = result
    return list(last.values())


def latest(results: Sequence[dict]) -> dict:
    """The last result with all of the chart's networks, by date.

    Raises:
        ValueError: there is none.
    """
    complete = [r for r in results if {c["case"].split(" ")[0] for c in r["cases"]} >= {*NETWORKS}]
    if not complete:
        raise ValueError(f"no chart: no kept result has {' and '.join(NETWORKS)}")
    return max(complete, key=lambda result: result["machine"]["date"])


def write_tables(page: Path, tables: str) -> None:
    """Put ``tables`` between the two markers of ``page``.

    Raises:
        ValueError: the markers are not there, or not in order.
    """
    text = page.read_text()
    start, end = text.find(START), text.find(END)
    if start < 0 or end < start:
        raise ValueError(f"{page} has no place for the tables: write {START} and {END} into it")
    page.write_text(f"{text[: start + len(START)]}\n{tables}\n{text[end:]}")


def keep(results: Path, source: Path) -> Path:
    """Copy ``source`` to ``<cpu>_<commit>.json`` in ``results``, and return that path.

    Another file than ``latest.json`` adds its own name. Raises ``FileNotFoundError`` if there is no
    ``source``.
    """
    if not source.exists():
        raise FileNotFoundError(f"no {source}: run pytest bench/ --benchmark-only first")
    text = source.read_text()
    machine = json.loads(text)["machine"]
    cpu = re.sub(r"[^a-z0-9]+", "-", machine["cpu"].split(" (")[0].lower()).strip("-")
    name = "" if source.name == LATEST else f"_{source.stem}"
    target = results / f"{cpu}_{machine['commit']}{name}.json"
    target.write_text(text)
    return target


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write the tables and the chart.")
    add = parser.add_argument
    add("--keep", nargs="?", const=RESULTS / LATEST, type=Path, help="first keep the latest result")
    options = parser.parse_args(arguments)
    try:
        if options.keep:
            print(f"kept as {keep(RESULTS, options.keep)}")
        kept = sorted(path for path in RESULTS.glob("*.json") if path.name != LATEST)
        if not kept:
            raise FileNotFoundError(f"no results in {RESULTS}: run the benchmarks, then --keep")
        results = [json.loads(path.read_text()) for path in kept]
        per_machine = newest_per_machine(results)
        write_tables(PAGE, "\n\n".join(map(result_table, per_machine)))
        CHART.write_text(chart(latest(per_machine)))
        if hosts := newest(results):
            write_tables(HOSTS_PAGE, hosts_table(hosts))
    except (FileNotFoundError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"written: {PAGE}, {CHART}" + (f", {HOSTS_PAGE}" if hosts else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
