"""Overlapping windows against their definition, and AGDN's attention between channels in them."""

from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from golden import golden, limit
from images import image

from esr_kernels.models import load
from esr_kernels.models.blocks import (
    WindowedChannelAttention,
    average_windows,
    overlapping_windows,
    window_starts,
)

SIZES = [(1, 1), (5, 6), (7, 7), (8, 20), (13, 33), (31, 7)]
WINDOW = 7


def normal(*shape):
    draw = torch.Generator().manual_seed(len(shape))
    return torch.randn(*shape, generator=draw, dtype=torch.float64)


def places(height, width):
    """Row and column slices of every window, and its place in the grid."""
    rows, columns = (
        [slice(start, start + min(length, WINDOW)) for start in window_starts(length, WINDOW)]
        for length in (height, width)
    )
    return [(i, j, row, column) for i, row in enumerate(rows) for j, column in enumerate(columns)]


def test_starts():
    assert window_starts(510, 96) == [0, 83, 166, 249, 332, 414]
    assert [window_starts(length, 96) for length in (15, 96, 97, 192)] == [
        [0],
        [0],
        [0, 1],
        [0, 96],
    ]


@pytest.mark.parametrize("window", [1, 7, 96])
def test_windows_cover_the_axis_and_end_with_it(window):
    for length in range(1, 700):
        starts = window_starts(length, window)
        size = min(length, window)
        assert starts[0] == 0 and starts[-1] == length - size
        steps = [b - a for a, b in pairwise(starts)]
        assert all(0 < step <= size for step in steps)
        assert len(set(steps[:-1])) <= 1 and steps[-1:] <= steps[:1]
        assert len(starts) == -(-length // size)


@pytest.mark.parametrize("size", SIZES)
def test_cutting_and_averaging(size):
    x = normal(2, 3, *size)
    cells = overlapping_windows(x, WINDOW)
    for i, j, row, column in places(*size):
        assert torch.equal(cells[:, i, j], x[:, :, row, column])
    different = normal(*cells.shape)
    total, covers = torch.zeros_like(x), torch.zeros_like(x)
    for i, j, row, column in places(*size):
        total[:, :, row, column] += different[:, i, j]
        covers[:, :, row, column] += 1
    torch.testing.assert_close(average_windows(different, *size, WINDOW), total / covers)


@pytest.mark.parametrize("size", SIZES)
def test_attention_window_by_window(size):
    torch.manual_seed(0)
    attention = WindowedChannelAttention(6, 3, WINDOW).double().requires_grad_(False)
    attention.temperature.uniform_(0.5, 2)
    u = normal(2, 6, *size)
    q, k, v = attention.qkv_dwconv(attention.qkv(u)).chunk(3, 1)
    total, covers = torch.zeros_like(u), torch.zeros(size)
    for _, _, row, column in places(*size):
        covers[row, column] += 1
        for n in range(2):
            for head in range(3):
                channels = slice(2 * head, 2 * head + 2)
                a, b, c = (m[n, channels, row, column].flatten(1) for m in (q, k, v))
                scores = F.normalize(a, dim=1) @ F.normalize(b, dim=1).T
                o = F.relu(attention.temperature[head] * scores) @ c
                total[n, channels, row, column] += o.view_as(u[n, channels, row, column])
    torch.testing.assert_close(attention(u), attention.project_out(total / covers))


@pytest.fixture(scope="module")
def agdn(reference_dir):
    return load(reference_dir / "reference" / "weights" / "team31_agdn.pth")


@pytest.mark.reference
def test_golden_output_of_two_windows(agdn, reference_dir):
    facts, _, _ = golden(reference_dir, 31)
    (pair,) = facts["golden_extra"]
    with np.load(reference_dir / "reference" / pair["golden"]) as arrays:
        x, expected = (torch.from_numpy(arrays[name]) for name in ("input", "output"))
    assert x.shape[2] > 96
    assert (agdn(x) - expected).abs().max() <= limit(facts)


@pytest.mark.reference
def test_pictures_of_a_batch_have_their_own_windows(agdn):
    exact = load(agdn.state_dict(), dtype=torch.float64)
    x = image(2, 3, 99, 41).double()
    apart = torch.cat([exact(x[:1]), exact(x[1:])])
    assert (exact(x) - apart).abs().max() <= 1e-9
