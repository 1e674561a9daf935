"""The challenge's score, which combines runtime, parameters and FLOPs.

Source: NTIRE 2024 efficient SR challenge report, Eq. 1 and 2 and section 2.3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

#: The weights of runtime, parameters and FLOPs in Eq. 2.
WEIGHTS = {"runtime": 0.7, "params": 0.15, "flops": 0.15}
#: The least PSNR in dB that is ranked, by split.
THRESHOLDS_DB = {"valid": 26.90, "test": 26.99}


@dataclass(frozen=True)
class Costs:
    """Runtime in ms (mean of the splits' means), parameters in millions, FLOPs in 10^9."""

    runtime_ms: float
    params_M: float
    flops_G: float


@dataclass(frozen=True)
class Scores:
    """Scores of the sub-tracks and the main track: less is better, the baseline has exp(2)."""

    runtime: float
    params: float
    flops: float
    main: float


TRACKS = ("runtime", "params", "flops", "main")


def score(costs: Costs, baseline: Costs) -> Scores:
    """Compute Eq. 1, exp(2 * cost / baseline's cost), for each cost, and Eq. 2, their weighted sum.

    Raises:
        ValueError: A cost of the baseline is not above 0.
    """
    if min(astuple(baseline)) <= 0:
        raise ValueError(f"a baseline needs runtime, parameters and FLOPs above 0, not {baseline}")
    parts = {
        "runtime": _exponential(costs.runtime_ms / baseline.runtime_ms),
        "params": _exponential(costs.params_M / baseline.params_M),
        "flops": _exponential(costs.flops_G / baseline.flops_G),
    }
    return Scores(**parts, main=sum(WEIGHTS[name] * parts[name] for name in WEIGHTS))


def qualifies(psnr_dB: Mapping[str, float]) -> bool:
    """Check every split's PSNR, rounded to two decimals as in the report, against its threshold.

    Args:
        psnr_dB: PSNR by split. Splits without a threshold always qualify.
    """
    return all(
        round(psnr_dB[split], 2) >= least
        for split, least in THRESHOLDS_DB.items()
        if split in psnr_dB
    )


def ranks(values: Sequence[float]) -> list[int]:
    """Rank the values, 1 for the least; equal values share the better rank."""
    return [1 + sum(other < value for other in values) for value in values]


def _exponential(ratio: float) -> float:
    try:
        return math.exp(2 * ratio)
    except OverflowError:
        return math.inf
