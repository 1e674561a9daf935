"""The bar draws on terminals only."""

import sys

from esr_kernels.output.progress import BYTES, bar, print_above


def test_silent_without_a_terminal(capsys):
    for shown in (False, True):
        with bar(shown, 3, "tiles") as count:
            assert count() is None
        assert capsys.readouterr() == ("", "")


def test_drawn_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with bar(True, 3, "tiles") as count:
        count()
    out, err = capsys.readouterr()
    assert out == "" and "0/3" in err and "tiles" in err


def test_bytes_are_shortened_and_notes_shown(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    with bar(True, 4_000_000, BYTES, start=1_000_000, label="a.pth") as advance:
        advance(1_000_000, note="loss=0.5")
        print_above("a warning")
    err = capsys.readouterr().err
    assert "a.pth" in err and "1.00M/4.00M" in err and "2.00M/4.00M" in err
    assert "loss=0.5" in err and "a warning\n" in err
