"""Tables of text, for a terminal, for Markdown and for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

Rows = Sequence[Sequence[str]]


def text_table(rows: Rows, left: int = 1) -> str:
    """Format a table for a terminal, each column as wide as its widest cell.

    Args:
        rows: The cells, row by row; every row has the same number of them.
        left: The number of leading columns that are aligned left; the others are aligned right.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def markdown_table(rows: Rows, left: int = 1) -> str:
    """Format a Markdown table; the first row is the head, ``left`` is as in ``text_table``."""
    rule = ["---" if i < left else "---:" for i in range(len(rows[0]))]
    lines = [rows[0], rule, *rows[1:]]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines) + "\n"


def csv_table(rows: Rows) -> str:
    """Format comma-separated values, quoted where needed, each line ended by a newline."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(rows)
    return file.getvalue()
