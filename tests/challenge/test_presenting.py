"""A leaderboard as text, Markdown, CSV and plots."""

import builtins
import csv
import io

import pytest
from PIL import Image

from esr_kernels.challenge import (
    Costs,
    Entrant,
    as_csv,
    as_markdown,
    as_text,
    leaderboard,
    paper,
    save,
)


@pytest.fixture
def board():
    good = Entrant("good", {"Set5": 30.0}, {"Set5": 8.0}, Costs(8.0, 0.2, 10.0))
    other = Entrant("other", {"Set5": 31.0}, {"Set5": 4e3}, Costs(4e3, 16.7, 1e3))
    return leaderboard([other, good], baseline=good)


def test_text(board):
    lines = as_text(board).splitlines()
    head = "Rank Team Set5 PSNR Set5 ms Params [M] FLOPs [G] Runtime Params FLOPs Main"
    assert " ".join(lines[0].split()) == head
    first = "1 good 30.00 8.00 0.200 10.00 7.39 (1) 7.39 (1) 7.39 (1) 7.39 (1)"
    assert lines[1].split() == first.split()
    assert lines[2].split()[:2] == ["2", "other"] and "inf (2)" in lines[2]
    assert lines[3].split()[:2] == ["-", "good"]  # the baseline, not ranked


def test_text_of_the_report_has_the_printed_scores_beside():
    lines = as_text(leaderboard(paper())).splitlines()
    assert len(lines) == 1 + 34 + 1
    assert lines[0].count("printed") == 4
    assert lines[3].split()[:2] == ["3", "BSR"]
    assert "4.92 (3) 4.93 (3)" in " ".join(lines[3].split())
    assert "1.687e+33 (26)  1.688e+33 (26)" in lines[26]
    assert lines[27].split()[:2] == ["-", "FireWork"]
    assert lines[35].split()[:3] == ["-", "RLFN", "(Baseline)"]


def test_markdown(board):
    lines = as_markdown(board).splitlines()
    assert lines[0].startswith("| Rank | Team | Set5 PSNR |")
    assert lines[1] == f"| --- | --- |{' ---: |' * 8}"
    assert lines[2].startswith("| 1 | good | 30.00 | 8.00 |") and len(lines) == 5


def test_csv(board):
    rows = list(csv.DictReader(io.StringIO(as_csv(board))))
    assert [row["name"] for row in rows] == ["good", "other", "good"]
    assert rows[0]["Set5_psnr_dB"] == "30.0" and rows[0]["runtime_rank"] == "1"
    assert float(rows[0]["main_score"]) == pytest.approx(7.389, abs=1e-3)
    assert rows[2]["rank"] == rows[2]["main_rank"] == ""


@pytest.mark.parametrize("of_report", [True, False])
def test_files(tmp_path, board, of_report):
    board = leaderboard(paper()) if of_report else board
    for name in ("board.md", "board.csv", "board.png", "board.svg"):
        save(tmp_path / name, board)
    assert (tmp_path / "board.md").read_text() == as_markdown(board)
    assert (tmp_path / "board.csv").read_text() == as_csv(board)
    with Image.open(tmp_path / "board.png") as picture:
        assert picture.width > 1000 and picture.convert("L").getextrema() == (0, 255)
    svg = (tmp_path / "board.svg").read_text()
    assert "<svg" in svg and ("XiaomiMM" if of_report else "good") in svg
    assert len(list(tmp_path.iterdir())) == 4


def test_other_formats_are_refused(tmp_path, board):
    with pytest.raises(ValueError, match=r"\.md, \.csv, \.png or \.svg"):
        save(tmp_path / "board.pdf", board)


def test_without_matplotlib(tmp_path, board, monkeypatch):
    real = builtins.__import__

    def missing(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ValueError, match="pip install matplotlib"):
        save(tmp_path / "board.png", board)
