"""Progress bars, drawn on stderr and only if that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

BYTES = "B"  # the unit whose numbers are shortened to k, M and G


class Advance(Protocol):
    """The function that moves a bar on."""

    def __call__(self, count: int = 1, note: str = "") -> None:
        """Add ``count`` to the bar; ``note`` replaces the text behind it."""


@contextmanager
def bar(
    shown: bool, total: int | None, unit: str, *, start: int = 0, label: str | None = None
) -> Iterator[Advance]:
    """Show a progress bar while the block runs.

    Args:
        shown: False draws nothing.
        total: The number that the bar counts to, None if it is not known.
        unit: The name of the counted things, for example "tiles"; ``BYTES`` for sizes.
        start: The number that the bar begins at.
        label: A text in front of the bar.

    Yields:
        The function that moves the bar on.
    """
    if not shown:
        yield lambda count=1, note="": None
        return
    from tqdm import tqdm  # imported on first use, to keep the package's import fast

    style = {"unit": BYTES, "unit_scale": True} if unit == BYTES else {"unit": f" {unit}"}
    with tqdm(total=total, initial=start, desc=label, disable=None, leave=False, **style) as line:

        def advance(count: int = 1, note: str = "") -> None:
            if note:
                line.set_postfix_str(note, refresh=False)
            line.update(count)

        yield advance


def print_above(message: str) -> None:
    """Print a line on stderr without tearing a bar that is being drawn there."""
    from tqdm import tqdm

    tqdm.write(message, file=sys.stderr)
