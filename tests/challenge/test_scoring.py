"""Eq. 1 and 2, thresholds and ranks."""

import math

import pytest

from esr_kernels.challenge import Costs, qualifies, ranks, score

BASELINE = Costs(runtime_ms=10.0, params_M=0.5, flops_G=20.0)


def test_equations():
    assert score(BASELINE, BASELINE).main == pytest.approx(math.e**2)
    scores = score(Costs(5.0, 1.0, 30.0), BASELINE)
    assert scores.runtime == pytest.approx(math.e)
    assert scores.params == pytest.approx(math.e**4)
    assert scores.flops == pytest.approx(math.e**3)
    expected = 0.7 * math.e + 0.15 * math.e**4 + 0.15 * math.e**3
    assert scores.main == pytest.approx(expected)


def test_what_no_float_can_hold_is_infinite():
    scores = score(Costs(1e5, 0.1, 1.0), BASELINE)
    assert scores.runtime == scores.main == math.inf and scores.params < 2


def test_a_baseline_that_costs_nothing_is_refused():
    with pytest.raises(ValueError, match="above 0"):
        score(BASELINE, Costs(1.0, 0.0, 1.0))


@pytest.mark.parametrize(
    ("psnr_dB", "qualified"),
    [
        ({"valid": 26.90, "test": 26.99}, True),
        ({"valid": 26.896, "test": 26.986}, True),  # 26.90 and 26.99 in the report's table
        ({"valid": 26.894, "test": 27.5}, False),
        ({"valid": 27.5, "test": 26.98}, False),
        ({"valid": 26.95}, True),
        ({"Set5": 20.0}, True),
    ],
)
def test_thresholds(psnr_dB, qualified):
    assert qualifies(psnr_dB) is qualified


def test_ranks():
    assert ranks([3.0, 1.0, 2.0]) == [3, 1, 2]
    assert ranks([2.0, 1.0, 1.0, 5.0]) == [3, 1, 1, 4]
    assert ranks([]) == []
