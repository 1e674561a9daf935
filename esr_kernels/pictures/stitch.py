"""Run a network over the tiles of a plan and put the result together as integers.

The large picture exists once, as 8 or 16-bit integers; in floats there is only one tile of it, or
one row of tiles where they are faded into each other.
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
    plan: TileGrid,  # of H x W
    *,
    scale: int,
    grey: bool = False,
    depth: int = 8,
    on_tile: Callable[[], None] = lambda: None,
) -> np.ndarray:  # [3 or 1, scale * H, scale * W] uint8 or uint16
    """Upscale ``pixels`` tile by tile: ``run`` maps ``[1, 3, h, w]`` to ``[1, 3, scale*h, ...]``.

    Values are clamped to ``[0, 1]``, multiplied by ``2**depth - 1`` and rounded to the nearest
    integer (halves to even). ``grey`` averages the channels into one. ``on_tile`` is called after
    each tile. ``depth`` is 8 or 16. Raises ``ValueError`` if ``run`` returns another size.
    """
    dtype = np.uint8 if depth == 8 else np.uint16
    shape = (1 if grey else 3, scale * plan.height, scale * plan.width)
    out = np.empty(shape, dtype)

    def window(rows: Interval, columns: Interval) -> Tensor:
        """The kept part of one tile's result, float32 ``[3 or 1, h, w]`` on the CPU."""
        (y0, y1), (x0, x1) = rows.window, columns.window
        result = run(pixels[None, :, y0:y1, x0:x1])
        expected = (1, 3, scale * (y1 - y0), scale * (x1 - x0))
        if tuple(result.shape) != expected:
            raise ValueError(
                f"the network made {list(result.shape)} of {[1, 3, y1 - y0, x1 - x0]}, "
                f"which is not {scale} times as large: set its scale to what it does"
            )
        y, x = _within(rows, scale), _within(columns, scale)
        kept = result[0, :, y, x].float().cpu()
        on_tile()
        return kept.mean(0, keepdim=True) if grey else kept

    if plan.exact:
        for tile in plan:
            y, x = _scaled(tile.rows.kept, scale), _scaled(tile.columns.kept, scale)
            quantise(window(tile.rows, tile.columns).numpy(), out[:, y, x])
    else:
        _fade(window, plan, scale, out)
    return out


def quantise(values: np.ndarray, out: np.ndarray) -> None:
    """``out = round(clamp(values, 0, 1) * top)``, halves to even; ``top`` is 255 or 65535.

    ``values``: float32 ``[C, H, W]``, finite. ``out``: uint8 or uint16 of the same shape.
    """
    top = np.iinfo(out.dtype).max
    # A few rows at a time stay in the cache between the four steps: fifteen times as fast as whole
    # planes, which for a large picture is as much time as the network takes.
    rows = max(1, _CACHED_VALUES // values.shape[2])
    scratch = np.empty((rows, values.shape[2]), np.float32)
    for source, target in zip(values, out, strict=True):
        for y in range(0, len(source), rows):
            part = source[y : y + rows]
            levels = np.multiply(part, top, out=scratch[: len(part)])
            np.clip(np.rint(levels, out=levels), 0, top, out=levels)
            target[y : y + rows] = levels


def _fade(window, plan: TileGrid, scale: int, out: np.ndarray) -> None:
    """Weighted sum of overlapping tiles, one row of tiles at a time."""
    carried = torch.zeros(out.shape[0], 0, out.shape[2])
    for i, rows in enumerate(plan.rows):
        kept = _scaled(rows.kept, scale)
        band = torch.zeros(out.shape[0], kept.stop - kept.start, out.shape[2])
        band[:, : carried.shape[1]] = carried
        down = torch.tensor(ramp(plan.rows, i, scale))[:, None]
        for j, columns in enumerate(plan.columns):
            across = torch.tensor(ramp(plan.columns, j, scale))
            part = band[:, :, _scaled(columns.kept, scale)]
            part.addcmul_(window(rows, columns), down * across)
        # What the next row of tiles reaches into is not finished yet.
        last = i + 1 == len(plan.rows)
        done = (plan.height if last else plan.rows[i + 1].kept[0]) * scale
        quantise(band[:, : done - kept.start].numpy(), out[:, kept.start : done])
        carried = band[:, done - kept.start :].clone()


def _scaled(interval: tuple[int, int], scale: int) -> slice:
    return slice(interval[0] * scale, interval[1] * scale)


def _within(span: Interval, scale: int) -> slice:
    """Where the kept part lies in the result of the window."""
    offset = span.window[0]
    return _scaled((span.kept[0] - offset, span.kept[1] - offset), scale)
