"""Pictures and the patches cut from them."""

import pytest
import torch
from pictures import draw
from PIL import Image

from esr_kernels.train.degrade import bicubic_down
from esr_kernels.train.patches import Patches, read_pictures, sha256_of


def test_pictures_are_cropped_to_whole_multiples(tmp_path):
    pictures = read_pictures(draw(tmp_path / "in"), 4)
    assert [picture.name for picture in pictures] == [f"{i}.png" for i in range(6)]
    for picture in pictures:
        assert picture.high.dtype == picture.low.dtype == torch.uint8
        assert list(picture.high.shape[1:]) == [4 * side for side in picture.low.shape[1:]]
    assert pictures[1].low.shape == (3, 10, 12)


def test_the_hash_follows_content_and_names(tmp_path):
    before = sha256_of(read_pictures(draw(tmp_path / "in"), 4))
    assert before == sha256_of(read_pictures(tmp_path / "in", 4))
    (tmp_path / "in/0.png").rename(tmp_path / "in/9.png")
    assert before != sha256_of(read_pictures(tmp_path / "in", 4))


def test_low_and_high_show_the_same_place(tmp_path):
    patches = Patches(read_pictures(draw(tmp_path / "in"), 4), 8, 16, seed=3)
    low, high = patches.batch(0)
    assert low.shape == (16, 3, 8, 8) and high.shape == (16, 3, 32, 32)
    shrunk = bicubic_down((high * 255).round().byte(), 4).float() / 255
    # Away from the cut; a transposed patch was rounded along its other side first.
    inside = (shrunk - low)[..., 2:-2, 2:-2].abs()
    assert inside.max() <= 1.01 / 255


def test_batches_depend_on_seed_and_number_alone(tmp_path):
    pictures = read_pictures(draw(tmp_path / "in"), 4)
    patches = Patches(pictures, 6, 4, seed=3)
    first, second = patches.batch(7)[0], patches.batch(8)[0]
    torch.manual_seed(0)
    assert torch.equal(first, Patches(pictures, 6, 4, seed=3).batch(7)[0])
    assert not torch.equal(first, second)
    assert not torch.equal(first, Patches(pictures, 6, 4, seed=4).batch(7)[0])


def test_all_eight_ways_of_a_patch_are_drawn(tmp_path):
    draw(tmp_path / "in", count=1)
    Image.open(tmp_path / "in/0.png").crop((0, 0, 24, 24)).save(tmp_path / "in/0.png")
    (picture,) = read_pictures(tmp_path / "in", 4)
    low = Patches([picture], 6, 200, seed=0).batch(0)[0]
    assert len({tuple(patch.flatten().tolist()) for patch in low}) == 8


def test_what_cannot_be_trained_on(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder of training pictures"):
        read_pictures(tmp_path / "gone", 4)
    with pytest.raises(ValueError, match="no pictures in"):
        read_pictures(tmp_path, 4)
    pictures = read_pictures(draw(tmp_path / "in"), 4)
    with pytest.raises(ValueError, match="40 x 40 low-resolution pixels"):
        Patches(pictures, 40, 2, seed=0)
    Image.new("RGB", (3, 9)).save(tmp_path / "in/small.png")
    with pytest.raises(ValueError, match=r"small\.png is too small"):
        read_pictures(tmp_path / "in", 4)
