"""The challenge's score: how runtime, parameters and FLOPs become one figure and a rank.

Source: NTIRE 2024 efficient SR challenge report, Eq. 1 and 2 and section 2.3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

#: Eq. 2's weights of runtime, parameters and FLOPs.
WEIGHTS = {"runtime": 0.7, "params": 0.15, "flops": 0.15}
#: Least PSNR in dB for a rank, on each split.
THRESHOLDS_DB = {"valid": 26.90, "test": 26.99}


@dataclass(frozen=True)
class Costs:
    """Runtime in ms (mean of the splits' means), parameters in millions, FLOPs in 10^9."""

    runtime_ms: float
    params_M: float
    flops_G: float


@dataclass(frozen=True)
class Scores:
    """Of the three sub-tracks and the main track; less is better, exp(2) = 7.39 the baseline's."""

    runtime: float
    params: float
    flops: float
    main: float


TRACKS = ("runtime", "params", "flops", "main")


def score(costs: Costs, baseline: Costs) -> Scores:
    """Eq. 1, exp(2 * cost / baseline's cost), for each cost; Eq. 2, their weighted sum.

    Raises ``ValueError`` for a baseline that costs nothing.
    """
    if min(astuple(baseline)) <= 0:
        raise ValueError(f"a baseline has a runtime, parameters and FLOPs above 0, not {baseline}")
    parts = {
        "runtime": _exponential(costs.runtime_ms / baseline.runtime_ms),
        "params": _exponential(costs.params_M / baseline.params_M),
        "flops": _exponential(costs.flops_G / baseline.flops_G),
    }
    return Scores(**parts, main=sum(WEIGHTS[name] * parts[name] for name in WEIGHTS))


def qualifies(psnr_dB: Mapping[str, float]) -> bool:
    """Whether the PSNR of each split, rounded to two decimals as in the report, is high enough.

    ``psnr_dB``: by split; splits without a threshold ask for nothing.
    """
    return all(
        round(psnr_dB[split], 2) >= least
        for split, least in THRESHOLDS_DB.items()
        if split in psnr_dB
    )


def ranks(values: Sequence[float]) -> list[int]:
    """The place of each value, 1 for the least; equal values share the better place."""
    return [1 + sum(other < value for other in values) for value in values]


def _exponential(ratio: float) -> float:
    try:
        return math.exp(2 * ratio)
    except OverflowError:
        return math.inf
