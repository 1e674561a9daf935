"""Folders of pictures: the mirrored tree, resuming, failures that stop nothing."""

import threading
import time

import numpy as np
import pytest
from fakes import COLOUR, Nearest, twice
from PIL import Image as Pillow

from esr_kernels.pictures import folder, runner, upscale


@pytest.fixture(autouse=True)
def halo_of_fakes(monkeypatch):
    monkeypatch.setattr(runner.fusion, "halo", lambda model: model.halo_px)


@pytest.fixture
def picture(tmp_path):
    Pillow.fromarray(COLOUR).save(tmp_path / "in.png")
    return tmp_path / "in.png"


@pytest.fixture
def tree(tmp_path):
    """A folder with everything that happens in folders."""
    src = tmp_path / "src"
    (src / "a/deep er").mkdir(parents=True)
    for name in ("one.png", "a/two.jpg", "a/deep er/three.PNG", "four.gif"):
        Pillow.fromarray(COLOUR).save(src / name)
    (src / "a/notes.txt").write_text("not a picture")
    (src / "a/broken.png").write_bytes(b"nor is this")
    return src


def test_folder(tree, tmp_path):
    dst = tmp_path / "new/dst"
    result = upscale.upscale(tree, dst, model=Nearest(), suffix="_x2")
    names = ["a/deep er/three_x2.PNG", "a/two_x2.jpg", "four_x2.png", "one_x2.png"]
    assert sorted(result.written) == [dst / name for name in names]
    assert sorted(p for p in dst.rglob("*") if p.is_file()) == sorted(result.written)
    assert np.array_equal(np.asarray(Pillow.open(dst / "one_x2.png")), twice(COLOUR))
    assert result.others == (tree / "a/notes.txt",)
    assert [path for path, _ in result.failed] == [tree / "a/broken.png"]
    assert str(result) == "4 upscaled, 1 skipped (no pictures), 1 failed"


def test_folder_resumes(tree, tmp_path):
    dst = tmp_path / "dst"
    upscale.upscale(tree, dst, model=Nearest())
    (dst / "one.png").unlink()
    old = (dst / "a/two.jpg").stat().st_mtime_ns
    again = upscale.upscale(tree, dst, model=Nearest())
    assert again.written == (dst / "one.png",) and len(again.existing) == 3
    assert (dst / "a/two.jpg").stat().st_mtime_ns == old
    assert len(upscale.upscale(tree, dst, model=Nearest(), overwrite=True).written) == 4


def test_output_inside_the_source_is_not_its_source(tree):
    dst = tree / "out"
    for _ in range(2):
        upscale.upscale(tree, dst, model=Nearest())
    assert not (dst / "out").exists()
    with pytest.raises(ValueError, match="choose another one"):
        upscale.upscale(tree, tree, model=Nearest())


def test_two_sources_of_one_output(tmp_path):
    src = tmp_path / "src"
    src.mkdir()
    for name in ("same.gif", "same.png"):
        Pillow.fromarray(COLOUR).save(src / name)
    result = upscale.upscale(src, tmp_path / "dst", model=Nearest())
    assert len(result.written) == 1
    assert "already the output of" in result.failed[0][1]


def test_folder_to_a_file(tree, picture):
    with pytest.raises(ValueError, match="is a file"):
        upscale.upscale(tree, picture, model=Nearest())


def test_empty_folder(tmp_path):
    (tmp_path / "src").mkdir()
    assert str(upscale.upscale(tmp_path / "src", model=Nearest())) == "0 upscaled"


def test_a_network_that_fails_on_one_picture(tree, tmp_path):
    class Picky(Nearest):
        def forward(self, x):
            if x.shape[-1] == 20:
                raise ValueError("not this one")
            return super().forward(x)

    Pillow.new("RGB", (20, 4)).save(tree / "wide.png")
    result = upscale.upscale(tree, tmp_path / "dst", model=Picky())
    assert len(result.written) == 4
    assert (tree / "wide.png", "not this one") in result.failed


def test_reading_computing_and_writing_overlap(tmp_path):
    src = tmp_path / "src"
    src.mkdir()
    for i in range(4):
        Pillow.fromarray(COLOUR).save(src / f"{i}.png")
    threads, began = set(), time.perf_counter()

    def stage(*arguments):
        threads.add(threading.current_thread().name)
        time.sleep(0.05)
        return type("Image", (), {"path": arguments[0]})

    todo = [(src / f"{i}.png", tmp_path / f"{i}.png") for i in range(6)]
    written, failed = folder.work(todo, stage, stage, stage, lambda: None)
    assert written == tuple(target for _, target in todo) and failed == ()
    assert len(threads) == 3
    assert time.perf_counter() - began < 0.05 * 3 * 6 * 0.75


def test_interrupt_leaves_nothing_half_written(tree, tmp_path):
    class Interrupted(Nearest):
        def forward(self, x):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upscale.upscale(tree, tmp_path / "dst", model=Interrupted())
    assert not list(tmp_path.rglob("*.part"))
