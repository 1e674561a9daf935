"""The grid of tiles by brute force, and tiled results against the whole picture."""

import numpy as np
import pytest
import torch
from images import image
from torch import nn

from esr_kernels.pictures.stitch import quantise, run_tiled
from esr_kernels.pictures.tiling import ALIGN_PX, MIN_TILE_PX, ramp, tile_grid

SIZES = [(1, 1), (1, 500), (7, 31), (32, 33), (65, 64), (97, 130), (200, 41)]


class SmallNet(nn.Module):
    """Three convolutions and a pixel shuffle: a reach of three input pixels."""

    def __init__(self, scale: int = 2):
        super().__init__()
        torch.manual_seed(1)
        self.scale = scale
        self.body = nn.Sequential(
            nn.Conv2d(3, 5, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(5, 7, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(7, 3 * scale**2, 3, padding=1),
            nn.PixelShuffle(scale),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return self.body(x)


def covered(tiles) -> np.ndarray:
    count = np.zeros((tiles.height, tiles.width), int)
    for tile in tiles:
        count[slice(*tile.rows.core), slice(*tile.columns.core)] += 1
    return count


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("tile_px", [0, 32, 35, 64, 1000])
@pytest.mark.parametrize("halo_px", [0, 3, 21, None])
def test_cores_cover_every_pixel_once(size, tile_px, halo_px):
    tiles = tile_grid(*size, tile_px, halo_px)
    assert (covered(tiles) == 1).all()
    assert len(list(tiles)) == len(tiles)
    for intervals, length in ((tiles.rows, size[0]), (tiles.columns, size[1])):
        for interval in intervals:
            (a, b), (c, d), (e, f) = interval.window, interval.kept, interval.core
            assert 0 <= a <= c <= e < f <= d <= b <= length
            if tile_px:
                assert f - e <= tile_px
            if halo_px is not None:
                assert (c, d) == (e, f) and a % ALIGN_PX == e % ALIGN_PX == 0
                assert a <= max(0, e - halo_px) and b >= min(length, f + halo_px)


def test_cores_are_nearly_equal():
    lengths = [s.core[1] - s.core[0] for s in tile_grid(1, 1080, 512, 21).columns]
    assert len(lengths) == 3 and max(lengths) - min(lengths) <= ALIGN_PX


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_weights_sum_to_one(size, scale):
    tiles = tile_grid(*size, MIN_TILE_PX, None)
    for intervals, length in ((tiles.rows, size[0]), (tiles.columns, size[1])):
        total = np.zeros(length * scale)
        for i, interval in enumerate(intervals):
            weights = np.array(ramp(intervals, i, scale))
            assert (weights > 0).all() and (weights <= 1).all()
            total[interval.kept[0] * scale : interval.kept[1] * scale] += weights
        assert np.allclose(total, 1, atol=1e-12)


def test_one_tile_is_exact_without_a_halo():
    assert tile_grid(40, 50, 64, None).exact and tile_grid(400, 500, 0, None).exact
    assert not tile_grid(40, 65, 64, None).exact and tile_grid(40, 65, 64, 9).exact


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0, 5, 64, 1), "empty"),
        ((5, 0, 64, 1), "empty"),
        ((5, 5, 31, 1), "at least 32"),
        ((5, 5, -1, 1), "at least 32"),
        ((5, 5, 64, -1), "negative"),
    ],
)
def test_bad_arguments(arguments, words):
    with pytest.raises(ValueError, match=words):
        tile_grid(*arguments)


@pytest.mark.parametrize("size", [(33, 97), (100, 70), (1, 77)])
@pytest.mark.parametrize("scale", [1, 4])
def test_tiled_is_whole_with_the_halo(size, scale):
    model, x = SmallNet(scale).eval(), image(1, 3, *size)[0]
    with torch.no_grad():
        whole = run_tiled(model, x, tile_grid(*size, 0, 3), scale=scale, depth=16)
        tiled = run_tiled(model, x, tile_grid(*size, 32, 3), scale=scale, depth=16)
    assert whole.shape == (3, scale * size[0], scale * size[1])
    # Of 65535 levels: torch may add in another order in another size.
    assert abs(whole.astype(int) - tiled).max() <= 1


def test_too_small_a_halo_shows():
    """The test above can fail: with a reach that is understated the seams are there."""
    model, x = SmallNet().eval(), image(1, 3, 96, 96)[0]
    understated = tile_grid(96, 96, 32, 0)
    with torch.no_grad():
        whole = run_tiled(model, x, tile_grid(96, 96, 0, 0), scale=2, depth=16)
        tiled = run_tiled(model, x, understated, scale=2, depth=16)
    assert abs(whole.astype(int) - tiled).max() > 50


@pytest.mark.parametrize("size", [(33, 97), (100, 70), (40, 200)])
@pytest.mark.parametrize(("grey", "depth"), [(False, 8), (True, 16)])
def test_blended_tiles_of_an_indifferent_network_are_the_whole(size, grey, depth):
    """If tiles agree, blending must change nothing: the weights and places are right."""
    net = nn.Upsample(scale_factor=3, mode="nearest")
    x = image(1, 3, *size)[0]
    whole, blended = (
        run_tiled(net, x, tile_grid(*size, px, None), scale=3, grey=grey, depth=depth)
        for px in (0, 32)
    )
    assert whole.shape[0] == (1 if grey else 3)
    assert abs(whole.astype(int) - blended).max() <= (1 if depth == 16 else 0)


def test_blending_has_no_step():
    """Tiles that differ by a constant meet in a ramp, not in an edge."""
    brightness = iter([0.2, 0.8])
    x = torch.zeros(3, 32, 128)
    result = run_tiled(
        lambda t: torch.full_like(t, next(brightness)), x, tile_grid(32, 128, 64, None), scale=1
    )
    row = result[0, 0].astype(int)
    assert row[0] == 51 and row[-1] == 204
    assert np.diff(row).min() >= 0 and np.diff(row).max() <= 6


def quantised(values, dtype) -> np.ndarray:
    values = np.asarray(values, np.float32)[None, None]
    out = np.empty(values.shape, dtype)
    quantise(values, out)
    return out[0, 0]


def test_rounding_and_clamping():
    levels = np.array([-1.0, 0.0, 0.49, 0.5, 0.51, 1.5, 2.5, 254.4, 255, 300]) / 255
    assert quantised(levels, np.uint8).tolist() == [0, 0, 0, 0, 1, 2, 2, 254, 255, 255]
    assert quantised([1.0, 2.0, -3.0], np.uint16).tolist() == [65535, 65535, 0]


def test_every_level_survives():
    for dtype in (np.uint8, np.uint16):
        levels = np.arange(np.iinfo(dtype).max + 1)
        assert np.array_equal(quantised(levels / levels[-1], dtype), levels)


def test_quantise_by_rows_misses_none():
    """Sizes around the number of values that are rounded at a time."""
    for height, width in ((1, 70_000), (300, 700), (5, 13_107)):
        values = np.random.default_rng(2).random((3, height, width), np.float32) * 1.2 - 0.1
        out = np.zeros((3, height, 2 * width), np.uint8)[..., ::2]
        quantise(values, out)
        assert np.array_equal(out, np.rint(values.clip(0, 1) * np.float32(255)))


def test_wrong_scale_is_said():
    with pytest.raises(ValueError, match="not 3 times as large"):
        run_tiled(SmallNet(2), image(1, 3, 8, 9)[0], tile_grid(8, 9, 0, 3), scale=3)
