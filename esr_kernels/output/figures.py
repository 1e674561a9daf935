"""Figures of matplotlib, which may be missing, as files."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = ("png", "svg")


def new_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure, for no window. Raises ``ValueError`` where matplotlib is missing."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ValueError("plots are drawn with matplotlib: pip install matplotlib") from None
    return Figure(figsize=(width_in, height_in), layout="constrained")


def as_file(figure: Figure, kind: str) -> bytes:
    """The content of a file of one of ``KINDS``."""
    content = io.BytesIO()
    figure.savefig(content, format=kind, dpi=120)
    return content.getvalue()
