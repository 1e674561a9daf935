"""What docs/precision.md says of scale, NaN and huge pixels."""

from __future__ import annotations

import copy

import pytest
import torch
from fast import MODELS, check
from images import image
from torch import nn

from esr_kernels import fusion

REACH_PX = 4  # of one 3x3 convolution in tiles


@pytest.fixture(autouse=True)
def no_grad():
    with torch.no_grad():
        yield


@pytest.mark.parametrize("scale", [1e-4, 1e4])
@pytest.mark.parametrize("name", ["span", "span 26", "rlfn", "residuals"])
def test_the_scale_of_a_picture_does_not_matter(name, scale, tolerance):
    torch.manual_seed(0)
    model = fusion.accelerate(MODELS[name]())
    check(model, scale * image(1, 3, 40, 47), tolerance)


def changed(model: nn.Module, x: torch.Tensor, exact: nn.Module) -> torch.Tensor:
    """Rows and columns of the results that are not finite, or not exact to float32's digits of
    what the other pixels are."""
    ours, true = model(x), exact(x.double())
    wrong = ~((ours - true).abs() <= 1e-4 * true.abs().clamp(1e-2, 1))
    return wrong.any(1)[0].nonzero()


@pytest.mark.parametrize("pixel", [torch.nan, torch.inf, 1e30], ids=str)
def test_a_bad_pixel_reaches_its_tiles_and_no_further(pixel):
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1)).eval()
    fast, exact = fusion.accelerate(copy.deepcopy(plain)), copy.deepcopy(plain).double()
    for row, column in ((0, 0), (13, 14), (15, 16), (16, 31), (39, 46)):
        x = image(1, 3, 40, 47)
        x[0, 1, row, column] = pixel
        place = torch.tensor([row, column])
        assert (changed(fast, x, exact) - place).abs().max() <= REACH_PX
        lost = (~plain(x).isfinite()) & fast(x).isfinite()
        assert not lost.any(), "a NaN is hidden"
