"""Running a network over the tiles of a picture, and stitching the results together as integers.

The large picture exists once, as 8 or 16-bit integers. As floats there is only one tile of it, or
one row of tiles where they are blended into each other.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from .tiling import Interval, TileGrid, ramp

_CACHED_VALUES = 64 * 1024  # of float32: 256 KiB, within any second-level cache


def run_tiled(
    run: Callable[[Tensor], Tensor],
    pixels: Tensor,  # [3, H, W] float
    grid: TileGrid,  # of H x W
    *,
    scale: int,
    grey: bool = False,
    depth: int = 8,
    on_tile: Callable[[], None] = lambda: None,
) -> np.ndarray:  # [3 or 1, scale * H, scale * W] uint8 or uint16
    """Upscale a picture tile by tile.

    Values are clamped to ``[0, 1]``, multiplied by ``2**depth - 1`` and rounded to the nearest
    integer (halves to even).

    Args:
        run: The network: ``[1, 3, h, w]`` to ``[1, 3, scale*h, scale*w]``.
        pixels: The picture.
        grid: Its tiles.
        scale: The upscaling factor of ``run``.
        grey: Average the channels into one.
        depth: The bits of the result, 8 or 16.
        on_tile: Called after each tile.

    Raises:
        ValueError: ``run`` returns another size.
    """
    dtype = np.uint8 if depth == 8 else np.uint16
    shape = (1 if grey else 3, scale * grid.height, scale * grid.width)
    out = np.empty(shape, dtype)

    def window(rows: Interval, columns: Interval) -> Tensor:
        """Compute the kept part of one tile's result, float32 ``[3 or 1, h, w]`` on the CPU."""
        (y0, y1), (x0, x1) = rows.window, columns.window
        result = run(pixels[None, :, y0:y1, x0:x1])
        expected = (1, 3, scale * (y1 - y0), scale * (x1 - x0))
        if tuple(result.shape) != expected:
            raise ValueError(
                f"the network returned {list(result.shape)} for {[1, 3, y1 - y0, x1 - x0]}, "
                f"which is not {scale} times as large: set its scale to the real factor"
            )
        y, x = _within(rows, scale), _within(columns, scale)
        kept = result[0, :, y, x].float().cpu()
        on_tile()
        return kept.mean(0, keepdim=True) if grey else kept

    if grid.exact:
        for tile in grid:
            y, x = _scaled(tile.rows.kept, scale), _scaled(tile.columns.kept, scale)
            quantise(window(tile.rows, tile.columns).numpy(), out[:, y, x])
    else:
        _blend(window, grid, scale, out)
    return out


def quantise(values: np.ndarray, out: np.ndarray) -> None:
    """Compute ``out = round(clamp(values, 0, 1) * top)``, halves to even; ``top`` is 255 or 65535.

    Args:
        values: float32 ``[C, H, W]``, finite.
        out: uint8 or uint16 of the same shape, which is overwritten.
    """
    top = np.iinfo(out.dtype).max
    # A few rows at a time stay in the cache between the four steps. That is fifteen times as fast
    # as whole planes, which for a large picture take as long as the network.
    rows = max(1, _CACHED_VALUES // values.shape[2])
    scratch = np.empty((rows, values.shape[2]), np.float32)
    for source, target in zip(values, out, strict=True):
        for y in range(0, len(source), rows):
            part = source[y : y + rows]
            levels = np.multiply(part, top, out=scratch[: len(part)])
            np.clip(np.rint(levels, out=levels), 0, top, out=levels)
            target[y : y + rows] = levels


def _blend(window, grid: TileGrid, scale: int, out: np.ndarray) -> None:
    """Sum overlapping tiles with their weights, one row of tiles at a time."""
    carried = torch.zeros(out.shape[0], 0, out.shape[2])
    for i, rows in enumerate(grid.rows):
        kept = _scaled(rows.kept, scale)
        band = torch.zeros(out.shape[0], kept.stop - kept.start, out.shape[2])
        band[:, : carried.shape[1]] = carried
        down = torch.tensor(ramp(grid.rows, i, scale))[:, None]
        for j, columns in enumerate(grid.columns):
            across = torch.tensor(ramp(grid.columns, j, scale))
            part = band[:, :, _scaled(columns.kept, scale)]
            part.addcmul_(window(rows, columns), down * across)
        # The rows that the next row of tiles overlaps are not finished yet.
        last = i + 1 == len(grid.rows)
        done = (grid.height if last else grid.rows[i + 1].kept[0]) * scale
        quantise(band[:, : done - kept.start].numpy(), out[:, kept.start : done])
        carried = band[:, done - kept.start :].clone()


def _scaled(interval: tuple[int, int], scale: int) -> slice:
    return slice(interval[0] * scale, interval[1] * scale)


def _within(interval: Interval, scale: int) -> slice:
    """Return the place of the kept part in the result of the window."""
    offset = interval.window[0]
    return _scaled((interval.kept[0] - offset, interval.kept[1] - offset), scale)
