"""Writing: refused early, whole or not at all."""

import os
import stat

import pytest
from PIL import Image as Pillow

from esr_kernels.pictures.io import check_destination, check_format, read, save


def test_destination_is_refused_early(tmp_path):
    (tmp_path / "there.png").write_bytes(b"mine")
    for name, error, words in (
        ("out", ValueError, "without a suffix"),
        ("out.xyz", ValueError, r"cannot write \.xyz"),
        ("there.png", ValueError, "exists already"),
        ("absent/out.png", FileNotFoundError, "make it first"),
    ):
        with pytest.raises(error, match=words):
            check_destination(tmp_path / name, overwrite=False)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ValueError, match="is a folder"):
        check_destination(tmp_path / "folder.png", overwrite=True)
    assert check_destination(tmp_path / "there.png", overwrite=True) == tmp_path / "there.png"


def test_unwritable_folder(tmp_path, monkeypatch):
    # Asked of the system, not tried with chmod: tests may run as root, who may write anywhere.
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(PermissionError, match="cannot write to the folder"):
        check_destination(tmp_path / "out.png", overwrite=False)


def test_too_many_pixels_for_webp(tmp_path):
    Pillow.new("L", (4096, 1)).save(tmp_path / "in.png")
    with pytest.raises(ValueError, match=r"16384 pixels on a side.*\.png"):
        check_format(tmp_path / "out.webp", read(tmp_path / "in.png"), 4)


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt(), ValueError("odd")])
def test_nothing_is_left_half_written(tmp_path, monkeypatch, error):
    def fail(self, file, **_):
        file.write(b"half")
        raise error

    (tmp_path / "out.png").write_bytes(b"the old one")
    monkeypatch.setattr(Pillow.Image, "save", fail)
    with pytest.raises(type(error)):
        save(tmp_path / "out.png", Pillow.new("L", (2, 2)), overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["out.png"]
    assert (tmp_path / "out.png").read_bytes() == b"the old one"


def test_permissions_follow_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        save(tmp_path / "out.png", Pillow.new("L", (2, 2)))
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "out.png").stat().st_mode) == 0o640
