"""Involution against its formula, tap by tap."""

import pytest
import torch
from images import image

from esr_kernels.models.blocks import Involution


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 2)])
@pytest.mark.parametrize(("channels", "groups"), [(6, 3), (4, 1)])
def test_every_pixel_has_a_kernel_of_its_own(size, channels, groups):
    torch.manual_seed(3)
    block = Involution(channels, groups=groups, hidden=5).double().eval().requires_grad_(False)
    u = image(2, channels, *size).double()
    kernels = block.conv2(block.conv1(u))
    expected = torch.zeros_like(u)
    for c, y, x in torch.cartesian_prod(*(torch.arange(n) for n in (channels, *size))).tolist():
        group = c // (channels // groups)
        for i, j in ((i, j) for i in range(3) for j in range(3)):
            row, column = y + i - 1, x + j - 1
            if 0 <= row < size[0] and 0 <= column < size[1]:
                weight = kernels[:, 9 * group + 3 * i + j, y, x]
                expected[:, c, y, x] += weight * u[:, c, row, column]
    torch.testing.assert_close(block(u), expected, rtol=0, atol=1e-14)
