"""Whole pictures and folders of them, from file to file."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..output.progress import bar
from . import folder, io
from .runner import Runner, make_runner
from .stitch import run_tiled
from .tiling import MIN_TILE_PX, plan

# Largest side of a tile's core: 4 to 10% of the time goes to halos, and 1080p stays far below
# 1.5 GiB even in plain torch.
AUTO_TILE_PX = 768


@dataclass(frozen=True)
class Result:
    """What ``upscale`` did; ``str()`` is one line a person can read.

    ``written``: the new files. ``existing``: outputs that were there already and were left alone.
    ``others``: files in the folder that are no pictures. ``failed``: pictures that could not be
    upscaled, with the reason. ``notes``: what the caller should know about the pictures.
    """

    written: tuple[Path, ...] = ()
    existing: tuple[Path, ...] = ()
    others: tuple[Path, ...] = ()
    failed: tuple[tuple[Path, str], ...] = ()
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [f"{len(self.written)} upscaled"]
        if self.existing:
            parts.append(f"{len(self.existing)} there already")
        if self.others:
            parts.append(f"{len(self.others)} skipped (no pictures)")
        if self.failed:
            parts.append(f"{len(self.failed)} failed")
        return ", ".join(parts)


def upscale(
    src,
    dst=None,
    *,
    model="span",
    weights=None,
    device=None,
    dtype=None,
    tile="auto",
    suffix="",
    overwrite=False,
    progress=False,
) -> Result:
    """Upscale a picture, or every picture in a folder and the folders below it.

    ``src``: a picture (PNG, JPEG, WebP, TIFF, BMP, GIF) or a folder. ``dst``: the new file,
    whose suffix names its format (png, jpg, webp, tiff, bmp), or a folder, which gets the same tree
    and the same names; None puts ``<name>_upscaled`` beside the source. ``suffix``: added to the
    names, before the format. Colour profile, EXIF, resolution, alpha and the 16 bits of a grey
    picture are kept; alpha is enlarged bicubically.

    ``model``: a name of ``list_models()``, a checkpoint, or a torch module from ``[N, 3, H, W]`` in
    ``[0, 1]`` to ``[N, 3, scale*H, scale*W]`` with an attribute ``scale``. ``weights``, ``device``,
    ``dtype``: as in ``load``, for the first two; ``dtype`` is only what is computed in.

    ``tile``: "auto", 0 for the whole picture at once, or the largest side of a tile in input
    pixels. Tiles overlap by what the network sees, so the result is that of the whole picture.
    Networks that see everything (RLFN's pooled attention) have no such overlap: their tiles are
    faded into each other, which is close but not equal, and ``Result.notes`` says so.

    In a folder, outputs that exist are left alone unless ``overwrite``, and a picture that fails
    does not stop the others. A single picture raises: ``FileNotFoundError``, ``PermissionError``,
    ``ValueError`` for a bad picture or an output that exists, ``TypeError``. Files appear whole or
    not at all.
    """
    src, tile_px = Path(src), _tile_px(tile)
    if not src.exists():
        raise FileNotFoundError(f"no picture or folder at {src}")
    dst = _target(src, dst, suffix)
    if src.is_dir():
        jobs = folder.find(src, dst, suffix=suffix, overwrite=overwrite)
    else:
        # Everything that can be refused is refused before the network is fetched or run.
        image = io.read(src)
        io.check_destination(dst, overwrite=overwrite)
    runner = make_runner(model, weights=weights, device=device, dtype=dtype)
    worker = _Worker(runner, tile_px, overwrite)
    if src.is_dir():
        with bar(progress, len(jobs.todo), "pictures") as done:
            written, failed = folder.work(jobs.todo, io.read, worker.compute, worker.write, done)
        failed = jobs.failed + failed
        return Result(written, jobs.existing, jobs.others, failed, tuple(worker.notes))
    worker.write(dst, worker.compute(image, dst, progress), image)
    return Result(written=(dst,), notes=tuple(worker.notes))


class _Worker:
    """Upscales one picture after another, and remembers what has to be said about them."""

    def __init__(self, runner: Runner, tile_px: int, overwrite: bool):
        self.runner, self.tile_px, self.overwrite = runner, tile_px, overwrite
        self.notes: list[str] = []

    def compute(self, image: io.Image, target: Path, progress: bool = False) -> np.ndarray:
        runner = self.runner
        io.check_format(target, image, runner.scale)
        runner.picture = str(image.path)
        tiles = plan(image.height, image.width, self.tile_px, runner.halo_px)
        if not tiles.exact and not self.notes:
            self.notes.append(
                f"{runner.name} sees the whole of what it is given: the tiles of larger pictures "
                "were faded into each other and differ a little from the whole "
                "(tile 0 computes it whole, with more memory)"
            )
        with bar(progress and len(tiles) > 1, len(tiles), "tiles") as on_tile:
            return run_tiled(
                runner,
                torch.from_numpy(image.pixels),
                tiles,
                scale=runner.scale,
                grey=image.grey,
                depth=image.depth,
                on_tile=on_tile,
            )

    def write(self, target: Path, planes: np.ndarray, image: io.Image) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        io.write(target, planes, image, overwrite=self.overwrite)


def _target(src: Path, dst, suffix: str) -> Path:
    """The output file of a picture, or the output folder of a folder."""
    if dst is None and src.is_dir():
        return src.absolute().with_name(f"{src.absolute().name}_upscaled")
    if dst is None:
        return folder.named(src, suffix or "_upscaled")
    into_folder = Path(dst).is_dir() or str(dst).endswith(("/", os.sep))
    if into_folder and not src.is_dir():
        return Path(dst) / folder.named(src, suffix).name
    if suffix and not src.is_dir():
        raise ValueError(f"a suffix is for names made here: {dst} is a name already")
    return Path(dst)


def _tile_px(tile) -> int:
    if tile == "auto":
        return AUTO_TILE_PX
    if isinstance(tile, bool) or not isinstance(tile, int) or 0 != tile < MIN_TILE_PX:
        raise ValueError(
            f'tile is "auto", 0 for none, or at least {MIN_TILE_PX} pixels, not {tile!r}'
        )
    return tile
