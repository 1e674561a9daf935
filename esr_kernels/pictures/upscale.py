"""Upscaling of whole pictures and folders, from file to file."""

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from ..output.progress import bar
from . import folder, io
from .runner import Model, Runner, Weights, make_runner
from .stitch import run_tiled
from .tiling import MIN_TILE_PX, tile_grid

# Largest side of a tile's core: 4 to 10% of the time goes to halos, and 1080p stays far below
# 1.5 GiB even in plain torch.
AUTO_TILE_PX = 768


@dataclass(frozen=True)
class Result:
    """The outcome of ``upscale``; ``str()`` summarises it in one line.

    Attributes:
        written: The new files.
        existing: The outputs that existed already and were left alone.
        others: The files in the folder that are not pictures.
        failed: The pictures that could not be upscaled, each with the reason.
        notes: Facts about the results that the caller should know.
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
    src: str | os.PathLike,
    dst: str | os.PathLike | None = None,
    *,
    model: Model = "span",
    weights: Weights = None,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    tile: str | int = "auto",
    suffix: str = "",
    overwrite: bool = False,
    progress: bool = False,
) -> Result:
    """Upscale a picture, or every picture in a folder and the folders below it.

    Colour profile, EXIF, resolution, alpha and the 16 bits of a grey picture are kept; alpha is
    upscaled bicubically. Files appear complete or not at all. In a folder, a picture that fails
    does not stop the others: see ``Result.failed``.

    Args:
        src: A picture (PNG, JPEG, WebP, TIFF, BMP, GIF) or a folder.
        dst: The new file (png, jpg, webp, tiff or bmp by its suffix), or a folder, which gets the
            same tree and names. None puts ``<name>_upscaled`` beside the source.
        model: A name of ``list_models()``, a checkpoint, or a torch module from ``[N, 3, H, W]`` in
            ``[0, 1]`` to ``[N, 3, scale*H, scale*W]`` with an attribute ``scale``.
        weights: As in ``load``; for a name or a checkpoint only, like ``device`` and ``dtype``.
        device: The device to run on; None is a GPU if torch can use one, else the CPU.
        dtype: The dtype to compute in, float32 if None.
        tile: The largest side of a tile in input pixels, 0 for the whole picture at once, or
            "auto". Tiles overlap by the reach of the network, so the result is that of the whole
            picture. Tiles of networks that see everything (RLFN's pooled attention) are blended
            into each other, which is close but not equal: see ``Result.notes``.
        suffix: A text added to the names, before the format.
        overwrite: Replace outputs that exist: in a folder they are left alone otherwise.
        progress: Draw a progress bar if stderr is a terminal.

    Raises:
        FileNotFoundError: The source, the weights or the folder of the output is missing.
        PermissionError: The output cannot be written.
        TypeError: ``model`` is of another type.
        ValueError: The picture is not valid, its output exists, or an argument is not valid.
    """
    src, tile_px = Path(src), _tile_px(tile)
    if not src.exists():
        raise FileNotFoundError(f"no picture or folder at {src}")
    dst = _target(src, dst, suffix)
    make = partial(make_runner, model, weights=weights, device=device, dtype=dtype)
    # All other checks come before ``make``, which may download the network.
    if src.is_dir():
        jobs = folder.find(src, dst, suffix=suffix, overwrite=overwrite)
        return _upscale_folder(jobs, _Worker(make(), tile_px, overwrite), progress)
    image = io.read(src)
    io.check_destination(dst, overwrite=overwrite)
    return _upscale_picture(image, dst, _Worker(make(), tile_px, overwrite), progress)


def _upscale_folder(jobs: folder.Jobs, worker: "_Worker", progress: bool) -> Result:
    with bar(progress, len(jobs.todo), "pictures") as done:
        written, failed = folder.work(jobs.todo, io.read, worker.compute, worker.write, done)
    return Result(written, jobs.existing, jobs.others, jobs.failed + failed, tuple(worker.notes))


def _upscale_picture(image: io.Image, dst: Path, worker: "_Worker", progress: bool) -> Result:
    worker.write(dst, worker.compute(image, dst, progress), image)
    return Result(written=(dst,), notes=tuple(worker.notes))


class _Worker:
    """Upscaler of one picture after another, which collects the notes about them."""

    def __init__(self, runner: Runner, tile_px: int, overwrite: bool):
        self.runner, self.tile_px, self.overwrite = runner, tile_px, overwrite
        self.notes: list[str] = []

    def compute(self, image: io.Image, target: Path, progress: bool = False) -> np.ndarray:
        runner = self.runner
        io.check_format(target, image, runner.scale)
        runner.picture = str(image.path)
        tiles = tile_grid(image.height, image.width, self.tile_px, runner.halo_px)
        if not tiles.exact and not self.notes:
            self.notes.append(
                f"{runner.name} sees the whole picture: the tiles of larger pictures were blended "
                "into each other, so the results differ a little from untiled ones "
                "(tile 0 computes a picture whole, with more memory)"
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


def _target(src: Path, dst: str | os.PathLike | None, suffix: str) -> Path:
    """Return the output file of a picture, or the output folder of a folder."""
    if dst is None and src.is_dir():
        return src.absolute().with_name(f"{src.absolute().name}_upscaled")
    if dst is None:
        return folder.named(src, suffix or "_upscaled")
    into_folder = Path(dst).is_dir() or str(dst).endswith(("/", os.sep))
    if into_folder and not src.is_dir():
        return Path(dst) / folder.named(src, suffix).name
    if suffix and not src.is_dir():
        raise ValueError(f"a suffix is added to automatic names only: {dst} is a name already")
    return Path(dst)


def _tile_px(tile: str | int) -> int:
    if tile == "auto":
        return AUTO_TILE_PX
    if isinstance(tile, bool) or not isinstance(tile, int) or 0 != tile < MIN_TILE_PX:
        raise ValueError(
            f'tile is "auto", 0 for no tiles, or at least {MIN_TILE_PX} pixels, not {tile!r}'
        )
    return tile
