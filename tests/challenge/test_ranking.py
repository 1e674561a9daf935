"""The report's table 1, reproduced; rankings of other results."""

import json

import pytest

from esr_kernels.challenge import (
    Costs,
    Entrant,
    leaderboard,
    paper,
    paper_baseline,
    read_entrants,
)
from esr_kernels.challenge.scoring import TRACKS


def test_table_1():
    """26 ranked and 8 unranked teams: scores within the rounding of their inputs, ranks equal."""
    board = leaderboard(paper())
    assert [row.ranks.get("main") for row in board.rows] == [*range(1, 27), *[None] * 8]
    for row in board.rows:
        for track in TRACKS:
            value, rank = row.entrant.printed[track]
            assert getattr(row.scores, track) == pytest.approx(value, rel=4e-3), row.entrant.name
            assert row.ranks.get(track) == rank, (row.entrant.name, track)


def test_table_1_has_its_best_and_its_baseline():
    best = leaderboard(paper()).rows[0].entrant
    assert (best.name, best.psnr_dB) == ("XiaomiMM", {"valid": 26.94, "test": 27.01})
    assert best.runtime_ms == {"valid": 5.62, "test": 5.57}
    baseline = paper_baseline()
    assert baseline.costs == Costs(11.77, 0.317, 19.67)
    assert leaderboard([]).baseline.scores.main == pytest.approx(7.39, abs=0.005)


def entrant(name, ms, valid=27.0) -> Entrant:
    return Entrant(name, {"valid": valid}, {"valid": ms}, Costs(ms, 0.3, 20.0))


def test_ranking_of_others():
    entrants = [entrant("slow", 9.0), entrant("poor", 1.0, valid=26.8), entrant("fast", 5.0)]
    board = leaderboard(entrants, baseline=entrant("base", 8.0))
    assert [row.entrant.name for row in board.rows] == ["fast", "slow", "poor"]
    assert board.rows[0].ranks == {"runtime": 1, "params": 1, "flops": 1, "main": 1}
    assert board.rows[1].ranks == {"runtime": 2, "params": 1, "flops": 1, "main": 2}
    assert board.rows[2].ranks == {} and board.splits == ["valid"]


#: As the official test script writes it.
OFFICIAL = {
    "valid_ave_psnr": 26.96,
    "valid_ave_runtime": 14.0,
    "test_ave_psnr": 27.07,
    "test_ave_runtime": 10.0,
    "flops": 19.67,
    "num_parameters": 0.317,
}


def test_results_of_the_official_script(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"00_RLFN": OFFICIAL}))
    (tmp_path / "b.json").write_text(json.dumps({"38_SPAN": OFFICIAL}))
    first, second = read_entrants([tmp_path / "a.json", tmp_path / "b.json"])
    assert (first.name, second.name) == ("00_RLFN", "38_SPAN")
    assert first.psnr_dB == {"valid": 26.96, "test": 27.07}
    assert first.costs == Costs(runtime_ms=12.0, params_M=0.317, flops_G=19.67)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("no json", "cannot be ranked"),
        ("[1]", "cannot be ranked"),
        ('{"a": {"flops": 1}}', "no PSNR"),
        ('{"a": {"valid_ave_psnr": 27, "valid_ave_runtime": 3, "num_parameters": 1}}', "'flops'"),
    ],
)
def test_results_that_cannot_be_ranked(tmp_path, content, says):
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(ValueError, match=says):
        read_entrants([tmp_path / "results.json"])


def test_missing_and_repeated_results(tmp_path):
    with pytest.raises(FileNotFoundError, match="no results at"):
        read_entrants([tmp_path / "absent.json"])
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"net": OFFICIAL}))
    with pytest.raises(ValueError, match="a second result of net"):
        read_entrants([path, path])
