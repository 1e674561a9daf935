"""Max pooling to a fraction of a size, divisible or not, and the gates made of it."""

import math

import pytest
import torch
import torch.nn.functional as F

from esr_kernels.models.blocks import SAFM, SAFM_MIN_SIZE, shrink


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def literal(x, factor):
    """Every cell from its first to its last pixel, as the documentation of ``shrink`` has it."""

    def cells(length):
        n = length // factor
        return [slice(i * length // n, math.ceil((i + 1) * length / n)) for i in range(n)]

    rows = [
        torch.stack([x[:, :, row, column].amax((2, 3)) for column in cells(x.shape[3])], -1)
        for row in cells(x.shape[2])
    ]
    return torch.stack(rows, -2)


@pytest.mark.parametrize("factor", [4, 8, 16])
@pytest.mark.parametrize("size", [(16, 16), (17, 31), (33, 40), (47, 65)])
def test_shrink_takes_the_maximum_of_each_cell(factor, size):
    x = noise(2, 3, *size)
    assert torch.equal(shrink(x, factor), literal(x, factor))


@pytest.mark.parametrize("size", [(SAFM_MIN_SIZE, SAFM_MIN_SIZE), (17, 31), (64, 33)])
def test_safm_gates_its_input_by_four_levels(size):
    torch.manual_seed(1)
    safm = SAFM(12).double().requires_grad_(False)
    u = noise(2, 12, *size)
    levels = [safm.mfr[0](u[:, :3])]
    for i, factor in enumerate((4, 8, 16), start=1):
        small = safm.mfr[i](literal(u[:, 3 * i : 3 * i + 3], factor))
        rows = torch.arange(size[0]) * small.shape[2] // size[0]
        columns = torch.arange(size[1]) * small.shape[3] // size[1]
        levels.append(small[:, :, rows][:, :, :, columns])
    expected = F.gelu(safm.aggr(torch.cat(levels, 1))) * u
    assert (safm(u) - expected).abs().max() <= 1e-14
