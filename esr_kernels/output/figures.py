"""Figures drawn with matplotlib, which is an optional dependency."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = ("png", "svg")


def new_figure(width_in: float, height_in: float) -> Figure:
    """Make an empty figure that belongs to no window.

    Args:
        width_in: Width in inches.
        height_in: Height in inches.

    Raises:
        ValueError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ValueError("plots are drawn with matplotlib: pip install matplotlib") from None
    return Figure(figsize=(width_in, height_in), layout="constrained")


def as_file(figure: Figure, kind: str) -> bytes:
    """Render a figure as the content of a file; ``kind`` is one of ``KINDS``."""
    content = io.BytesIO()
    figure.savefig(content, format=kind, dpi=120)
    return content.getvalue()
