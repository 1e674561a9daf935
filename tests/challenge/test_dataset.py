"""Which pictures belong together, in all layouts, and what is said where they do not."""

import numpy as np
import pytest
from PIL import Image

from esr_kernels.challenge.dataset import find_pairs, read_pair

VALID = ("DIV2K_LSDIR_valid_HR", "DIV2K_LSDIR_valid_LR")
TEST = ("DIV2K_LSDIR_test_HR", "DIV2K_LSDIR_test_LR")


def test_official_layout(tmp_path, pairs):
    written = pairs(*VALID, n=2, extra=3)
    assert list(find_pairs(tmp_path)) == ["valid"]
    pairs(*TEST, n=1)
    found = find_pairs(tmp_path)
    assert list(found) == ["valid", "test"] and len(found["test"]) == 1
    assert list(find_pairs(tmp_path, ["test"])) == ["test"]
    assert [pair.name for pair in found["valid"]] == ["0801", "0802"]
    for pair in found["valid"]:
        low, high = read_pair(pair)
        assert np.array_equal(low, written[pair.name][0])
        # The large picture is cut to a multiple of 4.
        assert np.array_equal(high, written[pair.name][1][: 4 * low.shape[0], : 4 * low.shape[1]])


def test_plain_layouts(tmp_path, pairs):
    pairs("Set5/HR", "Set5/LRx4", suffix="")
    assert list(find_pairs(tmp_path / "Set5")) == ["Set5"]
    assert find_pairs(tmp_path / "Set5")["Set5"] == find_pairs(tmp_path, ["Set5"])["Set5"]


def test_missing_folders(tmp_path, pairs):
    with pytest.raises(FileNotFoundError, match="no folder"):
        find_pairs(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match="DIV2K_LSDIR_<split>_HR"):
        find_pairs(tmp_path)
    pairs(*VALID)
    with pytest.raises(FileNotFoundError, match="no split 'test'"):
        find_pairs(tmp_path, ["valid", "test"])
    (tmp_path / VALID[1]).rename(tmp_path / "elsewhere")
    with pytest.raises(FileNotFoundError, match="DIV2K_LSDIR_valid_LR"):
        find_pairs(tmp_path)


def test_two_folders_of_a_split_are_not_guessed_at(tmp_path, pairs):
    pairs(*VALID)
    pairs("OTHER_valid_HR", "OTHER_valid_LR")
    with pytest.raises(ValueError, match="two folders"):
        find_pairs(tmp_path)


@pytest.mark.parametrize("lost, names", [("HR/0802.png", "0802"), ("LRx4/0801x4.png", "0801")])
def test_missing_picture(tmp_path, pairs, lost, names):
    pairs("HR", "LRx4")
    (tmp_path / lost).unlink()
    with pytest.raises(FileNotFoundError, match=f"{lost.split('/')[0]} lacks the pair of {names}"):
        find_pairs(tmp_path)


def test_wrong_size(tmp_path, pairs):
    pairs("HR", "LRx4")
    Image.new("RGB", (36, 36)).save(tmp_path / "HR/0801.png")
    with pytest.raises(ValueError, match=r"0801.png has 36 x 36 pixels.* 9 x 7"):
        find_pairs(tmp_path)


def test_broken_pictures(tmp_path, pairs):
    pairs("HR", "LRx4")
    path = tmp_path / "LRx4/0802x4.png"
    whole = path.read_bytes()
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"0802x4\.png"):
        find_pairs(tmp_path)
    # Cut off: the head is there, and only reading tells.
    path.write_bytes(whole[: len(whole) // 2])
    pair = find_pairs(tmp_path)[tmp_path.name][1]
    with pytest.raises(ValueError, match=r"0802x4\.png is broken or cut off"):
        read_pair(pair)


def test_16_bits_are_refused(tmp_path, pairs):
    pairs("HR", "LRx4", n=1)
    Image.fromarray(np.full((7, 9), 999, np.uint16)).save(tmp_path / "LRx4/0801x4.png")
    with pytest.raises(ValueError, match="16 bits"):
        read_pair(find_pairs(tmp_path)[tmp_path.name][0])
