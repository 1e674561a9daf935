"""Division of a picture into tiles. Integers only: no tensors, no files, no network.

A network sees a tile's *window*; only the tile's *core* of the result is used, and the cores cover
the picture exactly once. With a known halo (the distance, in input pixels, up to which an output
pixel depends on the input) the window is the core plus the halo, so the tiles equal the whole
picture. A network that sees everything has no such halo: its tiles can only be made to agree with
their neighbours, by blending one into the other across each seam.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

# Tile borders and halos are multiples of this, so that blocked convolutions (Winograd's 4 x 4
# outputs) cut a tile where they would cut the whole picture, and give the same bits.
ALIGN_PX = 8
# Without a halo, a seam is blended over 2 * BLEND_PX. CONTEXT_PX more are computed and dropped: the
# zero padding at the edge of a window shows there most.
BLEND_PX = 16
CONTEXT_PX = 16
MIN_TILE_PX = 32


@dataclass(frozen=True)
class Interval:
    """A tile along one axis, in input pixels: ``window`` contains ``kept`` contains ``core``.

    All are half-open, ``(start, stop)``. ``kept`` is the part of the result that is used; it is
    wider than the core only where tiles are blended into each other.
    """

    core: tuple[int, int]
    kept: tuple[int, int]
    window: tuple[int, int]


@dataclass(frozen=True)
class Tile:
    """One tile of a grid."""

    rows: Interval
    columns: Interval


@dataclass(frozen=True)
class TileGrid:
    """The tiles of a picture, ``rows`` x ``columns``.

    Attributes:
        height: The height of the picture in input pixels.
        width: Its width.
        rows: The tiles along the vertical axis.
        columns: The tiles along the horizontal axis.
        exact: The tiles together equal the result of the whole picture.
    """

    height: int
    width: int
    rows: tuple[Interval, ...]
    columns: tuple[Interval, ...]
    exact: bool

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)

    def __iter__(self) -> Iterator[Tile]:
        """Iterate row by row, left to right."""
        return (Tile(rows, columns) for rows in self.rows for columns in self.columns)


def tile_grid(height: int, width: int, tile_px: int, halo_px: int | None) -> TileGrid:
    """Divide a picture into cores of at most ``tile_px`` on a side, all of nearly equal size.

    Args:
        height: The height of the picture in input pixels.
        width: Its width.
        tile_px: The largest side of a core; 0 leaves the picture whole.
        halo_px: The reach of the network in input pixels, None if it sees everything.

    Raises:
        ValueError: The picture is empty, the halo negative, or the tile too small.
    """
    if height < 1 or width < 1:
        raise ValueError(f"a picture of {width} x {height} pixels is empty")
    if tile_px != 0 and tile_px < MIN_TILE_PX:
        raise ValueError(
            f"tiles of {tile_px} pixels are too small: at least {MIN_TILE_PX}, or 0 for no tiles"
        )
    if halo_px is not None and halo_px < 0:
        raise ValueError(f"a halo cannot be negative, got {halo_px}")
    rows, columns = (_cut(size, tile_px, halo_px) for size in (height, width))
    exact = halo_px is not None or len(rows) == len(columns) == 1
    return TileGrid(height, width, rows, columns, exact)


def ramp(intervals: tuple[Interval, ...], index: int, scale: int) -> list[float]:
    """Compute the weights of a tile along one axis, one per output pixel of its kept part.

    They are 1 inside and fall linearly to 0 across a seam, sampled at the centres of the pixels; at
    each output pixel the weights of all tiles sum to 1.

    Args:
        intervals: All tiles along the axis.
        index: The tile.
        scale: The upscaling factor.
    """
    (start, stop), core = intervals[index].kept, intervals[index].core
    before, after = core[0] - start, stop - core[1]
    weights = []
    for pixel in range(start * scale, stop * scale):
        centre = (pixel + 0.5) / scale
        rising = (centre - start) / (2 * before) if before else 1.0
        falling = (stop - centre) / (2 * after) if after else 1.0
        weights.append(min(1.0, rising, falling))
    return weights


def _cut(size: int, tile_px: int, halo_px: int | None) -> tuple[Interval, ...]:
    edges = _edges(size, tile_px)
    if halo_px is None:
        shortest = min(b - a for a, b in pairwise(edges))
        # Two ramps must not meet inside one core.
        blend, context = min(BLEND_PX, shortest // 2), CONTEXT_PX
    else:
        blend, context = 0, -(-halo_px // ALIGN_PX) * ALIGN_PX

    def widen(core: tuple[int, int], by: int) -> tuple[int, int]:
        return max(0, core[0] - by), min(size, core[1] + by)

    cores = pairwise(edges)
    return tuple(Interval(core, widen(core, blend), widen(core, blend + context)) for core in cores)


def _edges(size: int, tile_px: int) -> list[int]:
    if tile_px == 0 or size <= tile_px:
        return [0, size]
    # Aligned lengths as equal as can be, each at most tile_px.
    blocks, most = -(-size // ALIGN_PX), tile_px // ALIGN_PX
    count = -(-blocks // most)
    return [min(size, blocks * i // count * ALIGN_PX) for i in range(count)] + [size]
