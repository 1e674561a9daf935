"""Results of contests as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from .contest import OURS


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
                ms_text(case["ms"][OURS]),
                *(_beside(case["ms"][r], ratio[r]) if r in ratio else "-" for r in rivals),
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


def _beside(ms: float, ratio: float) -> str:
    return f"{ms_text(ms)} {ratio:5.2f}x"


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
    for reason, places in reasons.items():
        more = f" and {len(places) - 2} more" if len(places) > 2 else ""
        lines.append(f"{reason} ({', '.join(places[:2])}{more})")
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


def ms_text(value: float) -> str:
    """Two or three digits."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"
