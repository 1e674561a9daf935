"""Shrinking by the field's bicubic."""

import numpy as np
import pytest
import torch
from images import image
from PIL import Image

from esr_kernels.train.degrade import bicubic_down


def planes(path) -> torch.Tensor:
    return torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1)


@pytest.mark.reference
@pytest.mark.parametrize("dataset", ["Set5", "Set14"])
def test_as_matlab_made_the_test_sets(reference_dir, dataset):
    for path in sorted((reference_dir / "data" / dataset / "HR").glob("*.png")):
        high, low = planes(path), planes(reference_dir / "data" / dataset / "LRx4" / path.name)
        high = high[:, : high.shape[1] // 4 * 4, : high.shape[2] // 4 * 4]
        difference = (bicubic_down(high[None], 4)[0].int() - low.int()).abs()
        # Halves are rounded to the other side now and then.
        assert difference.max() <= 1 and (difference > 0).float().mean() < 0.002, path.name


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_flat_picture_stays_flat(scale):
    flat = torch.full((1, 3, 5 * scale, scale), 77, dtype=torch.uint8)
    assert torch.equal(bicubic_down(flat, scale), flat[:, :, :5, :1])


def test_overshoot_is_cut_off_and_batches_are_apart():
    stripes = torch.zeros(2, 1, 32, 32, dtype=torch.uint8)
    stripes[0, :, :, ::8] = 255
    stripes[0, :, :, 1::8] = 255
    down = bicubic_down(stripes, 4)
    assert torch.equal(down[:1], bicubic_down(stripes[:1], 4))
    assert not down[1].any()


def test_turning_the_picture_turns_the_result():
    high = (image(1, 3, 48, 64) * 255).round().byte()
    # Columns are rounded before rows, so that a quarter turn may move a value by one level.
    turned = bicubic_down(high.mT, 4).mT.int()
    assert (turned - bicubic_down(high, 4).int()).abs().max() <= 1
    assert torch.equal(bicubic_down(high.flip(2, 3), 4).flip(2, 3), bicubic_down(high, 4))
