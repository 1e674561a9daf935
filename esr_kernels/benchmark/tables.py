"""Results of contests as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..output.tables import text_table
from .contest import OURS
from .limits import Case, Result


def ratios(case: Case) -> dict[str, float]:
    """Divide each rival's time by ours: above 1 means that ours is faster."""
    ms = case["ms"]
    return {name: value / ms[OURS] for name, value in ms.items() if name != OURS}


def shares(case: Case) -> dict[str, float]:
    """Divide each limit by our time: 1 would be the whole capacity of the hardware."""
    return {name: limit / case["ms"][OURS] for name, limit in case["limits_ms"].items()}


def terminal_tables(result: Result) -> str:
    """Format one table per group, then the implementations left out, and the machine.

    A row has the time of ours, that of each rival with its ratio to ours, and the shares of limits.
    """
    parts = [_terminal_table(group, cases) for group, cases in _groups(result["cases"]).items()]
    parts.append(_digits(result["cases"]))
    parts.append(_left_out(result["cases"]))
    parts.append(_machine(result["machine"]))
    return "\n\n".join(part for part in parts if part)


def _terminal_table(group: str, cases: Sequence[Case]) -> str:
    rivals = list(dict.fromkeys(name for case in cases for name in ratios(case)))
    rows = [[group, "threads", "ours ms", *rivals, "of direct", "of F(4x4)", "rounds", "weights"]]
    for case in cases:
        ratio, share = ratios(case), shares(case)
        rows.append(
            [
                case["case"],
                str(case["threads"]),
                ms_text(case["ms"][OURS]),
                *(_beside(case["ms"][r], ratio[r]) if r in ratio else "-" for r in rivals),
                f"{share['direct']:.0%}",
                f"{share['winograd']:.0%}",
                str(case["rounds"]),
                case["weights"],
            ]
        )
    return text_table(rows)


def _beside(ms: float, ratio: float) -> str:
    return f"{ms_text(ms)} {ratio:5.2f}x"


def _groups(cases: Sequence[Case]) -> dict[str, list[Case]]:
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(case["group"], []).append(case)
    return groups


def _digits(cases: Sequence[Case]) -> str:
    """List how near results in less than float32 are to float64."""
    lines = []
    for case in cases:
        if case.get("dtype", "float32") != "float32":
            psnr = ", ".join(f"{name} {db:.1f}" for name, db in case["psnr_db"].items())
            lines.append(f"{case['case']} on {case['threads']}, dB against float64: {psnr}")
    return "\n".join(lines)


def _left_out(cases: Sequence[Case]) -> str:
    """List the implementations left out, each reason with the cases it holds for."""
    reasons: dict[str, list[str]] = {}
    for case in cases:
        for name, reason in case["left_out"].items():
            where = f"{case['case']} on {case['threads']}"
            reasons.setdefault(f"{name} left out: {reason}", []).append(where)
    lines = []
    for reason, cases_of in reasons.items():
        more = f" and {len(cases_of) - 2} more" if len(cases_of) > 2 else ""
        lines.append(f"{reason} ({', '.join(cases_of[:2])}{more})")
    return "\n".join(lines)


def _machine(machine: dict[str, Any]) -> str:
    measured = "; ".join(
        f"{threads} thread{'s' if threads != '1' else ''}: "
        f"{m['gflops']:.0f} GFLOP/s at best, {m['gbytes_s']:.0f} GB/s copying"
        for threads, m in sorted(machine["measured"].items())
    )
    return (
        f"{machine['cpu']}; kernels: {machine['kernels']}; {machine['dtype']}\n"
        f"{versions_text(machine)}; Python {machine['python']}\n"
        f"commit {machine['commit']}, {machine['date']}; {machine['command']}\n{measured}"
    )


def versions_text(machine: dict[str, Any]) -> str:
    """List the versions of torch and of the other runtimes."""
    return ", ".join(f"{k} {v}" for k, v in {"torch": machine["torch"], **machine["peers"]}.items())


def ms_text(value: float) -> str:
    """Format a time with two or three digits."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"
