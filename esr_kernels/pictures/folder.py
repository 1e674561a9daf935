"""A folder of pictures: what there is to do, and three stages that overlap while doing it."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from . import io

# What one picture may fail with while the rest goes on; anything else is a mistake of ours.
FAILURES = (OSError, ValueError, MemoryError, RuntimeError)

Failed = tuple[tuple[Path, str], ...]


@dataclass(frozen=True)
class Jobs:
    """``todo``: (picture, output) pairs; the rest as in ``upscaling.Result``."""

    todo: tuple[tuple[Path, Path], ...]
    existing: tuple[Path, ...]
    others: tuple[Path, ...]
    failed: Failed


def find(src: Path, dst: Path, *, suffix: str, overwrite: bool) -> Jobs:
    """Pair every picture under ``src``, told by its suffix, with its place in the tree ``dst``.

    Formats that cannot be written become PNG. Links to folders are not followed, and ``dst`` inside
    ``src`` is not searched. Raises ``ValueError`` if ``dst`` is ``src`` or a file,
    ``PermissionError`` if it cannot be written to.
    """
    _check_writable(dst)
    if dst.resolve() == src.resolve():
        raise ValueError(f"{dst} is the folder of the pictures itself: choose another one")
    todo: dict[Path, Path] = {}
    existing: list[Path] = []
    others: list[Path] = []
    failed: list[tuple[Path, str]] = []
    for path in _files(src, dst.resolve()):
        if path.suffix.lower() not in io.READABLE:
            others.append(path)
            continue
        target = dst / named(path.relative_to(src), suffix)
        if target in todo:
            failed.append((path, f"{target} is already the output of {todo[target]}"))
        elif target.exists() and not overwrite:
            existing.append(target)
        else:
            todo[target] = path
    pairs = tuple((path, target) for target, path in todo.items())
    return Jobs(pairs, tuple(existing), tuple(others), tuple(failed))


def named(path: Path, suffix: str) -> Path:
    """``path`` with ``suffix`` before its format, which is PNG if it cannot be written."""
    kind = path.suffix if path.suffix.lower() in io.WRITABLE else ".png"
    return path.with_name(f"{path.stem}{suffix}{kind}")


def work(todo, read: Callable, compute: Callable, write: Callable, on_done: Callable):
    """Upscale each pair, reading the next and writing the last while one is computed.

    ``read(path) -> image``, ``compute(image, target) -> planes``, ``write(target, planes, image)``;
    ``on_done()`` after each picture, good or bad. One picture at most waits before each stage, so
    memory does not grow with the folder. Returns ``(written, failed)``.
    """
    written: list[Path] = []
    failed: list[tuple[Path, str]] = []

    def computed():
        for (path, target), reading in _ahead(reader, lambda job: read(job[0]), todo):
            try:
                image = reading.result()
                planes = compute(image, target)
            except FAILURES as error:
                failed.append((path, str(error)))
                on_done()
            else:
                yield target, planes, image

    # An interrupt leaves here when the file that is being written is whole.
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        for (target, _, image), writing in _ahead(writer, lambda done: write(*done), computed()):
            try:
                writing.result()
                written.append(target)
            except FAILURES as error:
                failed.append((image.path, str(error)))
            on_done()
    return tuple(written), tuple(failed)


def _ahead(pool: ThreadPoolExecutor, function: Callable, items: Iterable) -> Iterator:
    """Yield each item with the future of ``function(item)``, the next one being under way."""
    waiting = None
    for item in items:
        started = (item, pool.submit(function, item))
        if waiting:
            yield waiting
        waiting = started
    if waiting:
        yield waiting


def _files(folder: Path, excluded: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        # Sorted, and changed in place: os.walk goes only where the list still says.
        folders[:] = sorted(f for f in folders if (Path(parent) / f).resolve() != excluded)
        yield from (Path(parent) / name for name in sorted(files))


def _check_writable(dst: Path) -> None:
    nearest = next(folder for folder in (dst, *dst.absolute().parents) if folder.exists())
    if not nearest.is_dir():
        raise ValueError(f"{nearest} is a file: a folder of pictures needs a folder to go to")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise PermissionError(f"cannot write to the folder {nearest}: choose another one")
