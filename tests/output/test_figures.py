"""Figures, and their absence without matplotlib."""

import sys

import pytest

from esr_kernels.output.figures import KINDS, as_file, new_figure


@pytest.mark.parametrize("kind", KINDS)
def test_a_figure_becomes_a_file(kind):
    pytest.importorskip("matplotlib")
    figure = new_figure(3, 2)
    figure.add_subplot().plot([1, 2], [3, 4])
    content = as_file(figure, kind)
    assert content.startswith(b"\x89PNG") if kind == "png" else b"<svg" in content


def test_without_matplotlib_the_way_out_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ValueError, match="pip install matplotlib"):
        new_figure(3, 2)
