"""The bar draws on terminals only."""

import sys

from esr_kernels.output.progress import bar


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
