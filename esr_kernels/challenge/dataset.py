"""Pairs of a small and a large picture, found in the challenge's folders and in plain ones."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from ..pictures import io
from .metrics import modcrop

SCALE = 4
OFFICIAL_SPLITS = ("valid", "test")
_LAYOUTS = (
    "DIR/DIV2K_LSDIR_<split>_HR with DIR/DIV2K_LSDIR_<split>_LR (pictures 0801.png and 0801x4.png),"
    " DIR/<split>/HR with DIR/<split>/LRx4, or DIR/HR with DIR/LRx4"
)


@dataclass(frozen=True)
class Pair:
    """A small picture and the large one that it was made from.

    Attributes:
        name: The file name of the large picture without its suffix.
        low: The file of the small picture.
        high: The file of the large picture.
    """

    name: str
    low: Path
    high: Path


def find_pairs(data: str | os.PathLike, splits: Sequence[str] = ()) -> dict[str, tuple[Pair, ...]]:
    """Find the pairs of every split, and check the sizes of all pictures.

    A small picture has the name of its large one, with or without ``x4`` at the end.

    Args:
        data: A folder in one of three layouts: ``*_<split>_HR`` beside ``*_<split>_LR`` as in the
            challenge, ``<split>/HR`` beside ``<split>/LRx4``, or ``HR`` beside ``LRx4``, which is
            one split with the name of the folder.
        splits: The splits to use; if empty, "valid" and "test" where they are present.

    Returns:
        The pairs by split, sorted by name.

    Raises:
        FileNotFoundError: A folder or a picture is missing.
        ValueError: The sizes of a pair do not match, or a file is not a picture.
    """
    data = Path(data)
    if not data.is_dir():
        raise FileNotFoundError(f"no folder {data} with pictures to evaluate on")
    return {split: _pairs(*folders) for split, folders in _folders(data, splits).items()}


def read_pair(pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    """Read both pictures of a pair, the large one cropped to 4 times the size of the small one.

    Returns:
        The small and the large picture, uint8 RGB ``[H, W, 3]``.

    Raises:
        ValueError: A file is broken or has 16 bits a channel.
    """
    low, high = (_read(path) for path in (pair.low, pair.high))
    return low, modcrop(high, SCALE)


def _folders(data: Path, splits: Sequence[str]) -> dict[str, tuple[Path, Path]]:
    """Find the folders of each split: large pictures, small pictures."""
    if not splits and (data / "HR").is_dir():
        return {data.resolve().name: (data / "HR", _small(data / "LRx4"))}
    wanted = splits or [split for split in OFFICIAL_SPLITS if _large(data, split)]
    found = {}
    for split in wanted:
        large = _large(data, split)
        if large is None:
            raise FileNotFoundError(f"no split {split!r} in {data}: expected {_LAYOUTS}")
        small = "LRx4" if large.name == "HR" else f"{large.name[:-2]}LR"
        found[split] = large, _small(large.with_name(small))
    if not found:
        raise FileNotFoundError(f"no pairs of pictures in {data}: expected {_LAYOUTS}")
    return found


def _large(data: Path, split: str) -> Path | None:
    official = sorted(path for path in data.glob(f"*_{split}_HR") if path.is_dir())
    if len(official) > 1:
        raise ValueError(f"{data} has two folders for the split {split!r}: {official[0].name}, ...")
    plain = data / split / "HR"
    return official[0] if official else plain if plain.is_dir() else None


def _small(folder: Path) -> Path:
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder} with the small pictures")
    return folder


def _pairs(large: Path, small: Path) -> tuple[Pair, ...]:
    high = {path.stem: path for path in _pictures(large)}
    low = {path.stem.removesuffix(f"x{SCALE}"): path for path in _pictures(small)}
    for folder, alone in ((small, high.keys() - low.keys()), (large, low.keys() - high.keys())):
        if alone:
            names = sorted(alone)
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise FileNotFoundError(f"{folder} lacks the pair of {', '.join(names[:3])}{more}")
    if not high:
        raise FileNotFoundError(f"no pictures in {large}")
    pairs = tuple(Pair(name, low[name], high[name]) for name in sorted(high))
    for pair in pairs:
        _check_sizes(pair)
    return pairs


def _pictures(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix.lower() in io.READABLE]


def _check_sizes(pair: Pair) -> None:
    (width, height), (large_width, large_height) = _size(pair.low), _size(pair.high)
    if (large_width // SCALE, large_height // SCALE) != (width, height):
        raise ValueError(
            f"{pair.high} has {large_width} x {large_height} pixels, which is not {SCALE} times "
            f"the {width} x {height} of {pair.low}"
        )


def _size(path: Path) -> tuple[int, int]:
    try:
        with Pillow.open(path) as picture:
            return picture.size
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"{path} is not a picture that can be read: {error}") from error


def _read(path: Path) -> np.ndarray:
    image = io.read(path)
    if image.depth != 8:
        raise ValueError(f"{path} has {image.depth} bits a channel, not the 8 of the challenge")
    return np.rint(image.pixels * 255).astype(np.uint8).transpose(1, 2, 0)
