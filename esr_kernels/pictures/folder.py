"""Folders of pictures: the work to do, and three stages of it that overlap."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import io

# Errors of one picture, after which the others go on; any other error is a bug.
FAILURES = (OSError, ValueError, MemoryError, RuntimeError)

Failed = tuple[tuple[Path, str], ...]


@dataclass(frozen=True)
class Jobs:
    """The pictures of a folder and their outputs.

    Attributes:
        todo: Pairs of a picture and its output.
        existing: As in ``upscale.Result``.
        others: As in ``upscale.Result``.
        failed: As in ``upscale.Result``.
    """

    todo: tuple[tuple[Path, Path], ...]
    existing: tuple[Path, ...]
    others: tuple[Path, ...]
    failed: Failed


def find(src: Path, dst: Path, *, suffix: str, overwrite: bool) -> Jobs:
    """Pair every picture below a folder with its place in the output folder.

    Pictures are recognised by their suffix. Formats that cannot be written become PNG. Links to
    folders are not followed, and an output folder inside the source is not searched.

    Args:
        src: The folder of pictures.
        dst: The output folder, which gets the same tree.
        suffix: A text added to the names.
        overwrite: Replace outputs that exist.

    Raises:
        PermissionError: The output folder cannot be written to.
        ValueError: The output folder is the source, or is a file.
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
    """Add ``suffix`` to the name of a file, with PNG for formats that cannot be written."""
    kind = path.suffix if path.suffix.lower() in io.WRITABLE else ".png"
    return path.with_name(f"{path.stem}{suffix}{kind}")


def work(
    todo: Iterable[tuple[Path, Path]],
    read: Callable[[Path], io.Image],
    compute: Callable[[io.Image, Path], np.ndarray],
    write: Callable[[Path, np.ndarray, io.Image], None],
    on_done: Callable[[], None],
) -> tuple[tuple[Path, ...], Failed]:
    """Upscale each pair; the next picture is read and the last one written while one is computed.

    At most one picture waits before each stage, so memory does not grow with the folder.

    Args:
        todo: Pairs of a picture and its output.
        read: ``read(path) -> image``.
        compute: ``compute(image, target) -> planes``.
        write: ``write(target, planes, image)``.
        on_done: Called after each picture, good or bad.

    Returns:
        The files written, and the pictures that failed with their reasons.
    """
    written: list[Path] = []
    failed: list[tuple[Path, str]] = []

    def computed() -> Iterator[tuple[Path, np.ndarray, io.Image]]:
        for (path, target), reading in _ahead(reader, lambda job: read(job[0]), todo):
            try:
                image = reading.result()
                planes = compute(image, target)
            except FAILURES as error:
                failed.append((path, str(error)))
                on_done()
            else:
                yield target, planes, image

    # An interrupt leaves these blocks when the file that is being written is complete.
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
    """Yield each item with the future of ``function(item)``, while the next one is computed."""
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
