"""One picture from file to file: tiles, NaN, and everything that must be refused."""

import pickle

import numpy as np
import pytest
import torch
from fakes import COLOUR, Nearest, twice
from PIL import Image as Pillow
from torch import nn

import esr_kernels
from esr_kernels import fusion
from esr_kernels.pictures import runner, upscale


@pytest.fixture(autouse=True)
def halo_of_fakes(monkeypatch):
    """The fakes say their halo themselves; real networks are asked as always."""
    ask = fusion.halo
    own = lambda model: model.halo_px if hasattr(model, "halo_px") else ask(model)  # noqa: E731
    monkeypatch.setattr(runner.fusion, "halo", own)


@pytest.fixture
def picture(tmp_path):
    Pillow.fromarray(COLOUR).save(tmp_path / "in.png")
    return tmp_path / "in.png"


@pytest.mark.parametrize("text", [True, False])
def test_one_picture(picture, tmp_path, text):
    src, dst = picture, tmp_path / "out.png"
    result = esr_kernels.upscale(str(src) if text else src, dst, model=Nearest())
    assert result.written == (dst,) and result.notes == () and str(result) == "1 upscaled"
    assert np.array_equal(np.asarray(Pillow.open(dst)), twice(COLOUR))


def test_destinations(picture, tmp_path):
    (tmp_path / "folder").mkdir()
    for dst, suffix, expected in (
        (None, "", tmp_path / "in_upscaled.png"),
        (None, "_x2", tmp_path / "in_x2.png"),
        (tmp_path / "folder", "", tmp_path / "folder/in.png"),
        (tmp_path / "folder", "_x2", tmp_path / "folder/in_x2.png"),
        (f"{tmp_path}/folder/", "_b", tmp_path / "folder/in_b.png"),
    ):
        result = upscale.upscale(picture, dst, suffix=suffix, model=Nearest())
        assert result.written == (expected,) and expected.exists()


def test_alpha_depth_and_grey(tmp_path):
    Pillow.fromarray(np.dstack([COLOUR, COLOUR[..., 0]])).save(tmp_path / "rgba.png")
    Pillow.fromarray(COLOUR[..., 0].astype(np.uint16) * 251).save(tmp_path / "deep.png")
    for name, mode in (("rgba.png", "RGBA"), ("deep.png", "I;16")):
        upscale.upscale(tmp_path / name, tmp_path / f"out {name}", model=Nearest())
        assert Pillow.open(tmp_path / f"out {name}").mode == mode
    deep = np.asarray(Pillow.open(tmp_path / "out deep.png"))
    assert np.array_equal(deep, twice(COLOUR[..., 0].astype(np.uint16) * 251))


def test_tiles_do_not_show(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (70, 101, 3), dtype=np.uint8)
    Pillow.fromarray(pixels).save(tmp_path / "in.png")
    for halo_px in (0, None):
        result = upscale.upscale(
            tmp_path / "in.png",
            tmp_path / "out.png",
            model=Nearest(halo_px),
            tile=32,
            overwrite=True,
        )
        assert np.array_equal(np.asarray(Pillow.open(tmp_path / "out.png")), twice(pixels))
        assert len(result.notes) == (halo_px is None)
    assert "Nearest sees the whole" in result.notes[0]


def test_memory_holds_no_large_float_picture(tmp_path, monkeypatch):
    """The network never sees more than a tile and its halo."""
    sizes = []

    class Watching(Nearest):
        def forward(self, x):
            sizes.append(tuple(x.shape[2:]))
            return super().forward(x)

    Pillow.new("RGB", (1600, 700)).save(tmp_path / "in.png")
    upscale.upscale(tmp_path / "in.png", tmp_path / "out.png", model=Watching(21))
    assert len(sizes) > 1
    assert max(map(max, sizes)) <= upscale.AUTO_TILE_PX + 2 * 24


@pytest.mark.parametrize("tile", [31, -1, 1.5, "large", True, None])
def test_bad_tile(picture, tmp_path, tile):
    with pytest.raises(ValueError, match="at least 32 pixels"):
        upscale.upscale(picture, tmp_path / "out.png", model=Nearest(), tile=tile)


def test_refused_before_the_network_is_made(picture, tmp_path, monkeypatch):
    monkeypatch.setattr(upscale, "make_runner", lambda *_, **__: pytest.fail("too late"))
    (tmp_path / "there.png").write_bytes(b"mine")
    (tmp_path / "text.png").write_bytes(b"no picture")
    for src, dst, error in (
        (tmp_path / "absent.png", tmp_path / "out.png", FileNotFoundError),
        (tmp_path / "text.png", tmp_path / "out.png", ValueError),
        (picture, tmp_path / "there.png", ValueError),
        (picture, tmp_path / "out.psd", ValueError),
        (picture, tmp_path / "absent/out.png", FileNotFoundError),
        (picture, f"{tmp_path}/absent/", FileNotFoundError),
    ):
        with pytest.raises(error):
            upscale.upscale(src, dst)
    assert (tmp_path / "there.png").read_bytes() == b"mine"
    assert not (tmp_path / "out.png").exists()


def test_transparent_to_jpeg(tmp_path):
    Pillow.new("RGBA", (4, 4), (1, 2, 3, 4)).save(tmp_path / "in.png")
    with pytest.raises(ValueError, match=r"write out\.png instead"):
        upscale.upscale(tmp_path / "in.png", tmp_path / "out.jpg", model=Nearest())
    assert not (tmp_path / "out.jpg").exists()


def test_a_module_is_not_changed(picture, tmp_path):
    model = Nearest()
    before = pickle.dumps(model.state_dict()), vars(model).keys()
    upscale.upscale(picture, tmp_path / "out.png", model=model)
    assert (pickle.dumps(model.state_dict()), vars(model).keys()) == before


def test_bad_models(picture, tmp_path):
    grey = Nearest()
    grey.in_channels = 1
    cases = (
        ({"model": nn.Identity()}, ValueError, "set model.scale"),
        ({"model": Nearest}, TypeError, r"model= got type"),
        ({"model": grey}, ValueError, "1 channels to 3"),
        ({"model": 7}, TypeError, "model= got int"),
        ({"model": Nearest(), "dtype": "float16"}, ValueError, "before passing it"),
        ({"model": Nearest(), "weights": "w.pth"}, ValueError, "before passing it"),
        ({"model": "no-such-network"}, FileNotFoundError, "neither a checkpoint"),
        ({"dtype": "float8"}, ValueError, "use one of float32, float16, bfloat16"),
        ({"device": "abacus"}, ValueError, "use cpu, cuda or auto"),
    )
    for arguments, error, words in cases:
        with pytest.raises(error, match=words):
            upscale.upscale(picture, tmp_path / "out.png", **arguments)
    assert not (tmp_path / "out.png").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_missing_gpu_is_no_memory_error(picture, tmp_path):
    with pytest.raises(ValueError, match="finds no GPU") as caught:
        upscale.upscale(picture, tmp_path / "out.png", device="cuda")
    assert "CUDA" not in str(caught.value) and "allocate" not in str(caught.value)


class Overflowing(Nearest):
    """Not finite in half precision; ``broken``: in no precision."""

    broken = False

    def forward(self, x):
        y = super().forward(x)
        return y / 0 if self.broken or y.dtype == torch.float16 else y


def test_overflow_is_found_and_mended(picture, tmp_path):
    with pytest.warns(UserWarning, match=r"in\.png.*computed again in float32") as warned:
        upscale.upscale(picture, tmp_path / "out.png", model=Overflowing().half(), tile=32)
    assert len(warned) == 1
    assert abs(np.asarray(Pillow.open(tmp_path / "out.png")).astype(int) - twice(COLOUR)).max() == 0


@pytest.mark.filterwarnings("ignore:.*reduced precision")
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_never_finite(picture, tmp_path, dtype):
    model = Overflowing().to(dtype)
    model.broken = True
    with pytest.raises(
        ValueError, match=r"in\.png: Overflowing returned values that are not finite"
    ):
        upscale.upscale(picture, tmp_path / "out.png", model=model)
    assert not (tmp_path / "out.png").exists()


def test_overflow_in_a_module_around_a_module(picture, tmp_path):
    """An attribute called ``model`` is a descriptor's only where the rest is no module."""

    class Around(Nearest):
        def __init__(self):
            super().__init__()
            self.model = Overflowing()

        def forward(self, x):
            return 0.5 * self.model(x)

    with pytest.warns(UserWarning, match="computed again"):
        upscale.upscale(picture, tmp_path / "out.png", model=Around().half())
    result = np.asarray(Pillow.open(tmp_path / "out.png")).astype(int)
    assert abs(result - twice(COLOUR) / 2).max() <= 0.5


def test_a_descriptor(picture, tmp_path):
    """As spandrel's: callable, no module itself, with the module and the scale as attributes."""

    class Descriptor:
        scale, halo_px = 2, 0

        def __init__(self, module):
            self.model = module

        def __call__(self, x):
            return self.model(x).clamp_(0, 1)

    with pytest.warns(UserWarning, match="computed again"):
        model = Descriptor(Overflowing().half())
        upscale.upscale(picture, tmp_path / "out.png", model=model)
    assert np.array_equal(np.asarray(Pillow.open(tmp_path / "out.png")), twice(COLOUR))
