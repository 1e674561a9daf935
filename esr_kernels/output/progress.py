"""A progress bar that is there only for people who look at it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def bar(shown: bool, total: int, unit: str) -> Iterator[Callable[[], None]]:
    """Give a function that counts one up. Draws on stderr, and only if that is a terminal."""
    if not shown:
        yield lambda: None
        return
    from tqdm import tqdm  # not before it is needed: the facade promises a fast import

    with tqdm(total=total, unit=f" {unit}", disable=None, leave=False) as line:
        yield lambda: line.update() and None
