"""The weights that are part of the package: they are the ones described, and they do their work."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from images import image

import esr_kernels
from esr_kernels import models
from esr_kernels.challenge.metrics import psnr
from esr_kernels.models import weights
from esr_kernels.models.catalogue import embedded
from esr_kernels.pictures import sample
from esr_kernels.train.degrade import bicubic_down
from esr_kernels.train.trainer import upscaled

FOLDER = Path(models.__file__).parent / "embedded"
CARD = json.loads((FOLDER / "span.json").read_text())


def unplugged(*_):
    raise ConnectionError("no network")


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """A new machine: no reference folder, nothing cached, no network."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("ESR_KERNELS_REFERENCE", str(tmp_path / "none"))
    monkeypatch.delenv("ESR_KERNELS_WEIGHTS", raising=False)
    monkeypatch.setattr("esr_kernels.models.download.download", unplugged)


def test_the_file_is_the_one_on_the_card():
    content = (FOLDER / "span.safetensors").read_bytes()
    assert hashlib.sha256(content).hexdigest() == CARD["sha256"]
    assert len(content) < 400_000


def test_the_card_names_what_a_user_may_ask():
    text = (FOLDER / "README.md").read_text()
    assert CARD["sha256"] in text and CARD["pictures_sha256"] in text
    for word in ("licence", "Set5", "Set14", f"{CARD['log'][-1][2]:.2f} dB"):
        assert word in text


def test_a_name_alone_needs_nothing_else(alone):
    model = models.load("span")
    assert sum(p.numel() for p in model.parameters()) == 150_688
    x = image(1, 3, 9, 11)
    assert torch.equal(model(x), models.load(embedded("span"))(x))
    assert esr_kernels.span(x).shape == (1, 3, 36, 44)
    with pytest.raises(FileNotFoundError, match="'span' are not on this machine"):
        esr_kernels.span(x, weights="official")


def test_what_has_no_weights_here_is_official(alone):
    assert embedded("rlfn") is None
    with pytest.raises(FileNotFoundError, match="'rlfn' are not on this machine"):
        weights.find_default("rlfn")


@pytest.mark.reference
def test_the_official_weights_are_to_be_had_by_that_word(reference_dir):
    official = models.load(reference_dir / "reference/weights/team38_span_ch28_slim.pth")
    x = image(1, 3, 20, 21)
    assert torch.equal(models.load("span", weights="official")(x), official(x))
    assert torch.equal(
        esr_kernels.load("span", weights="official")(x),
        esr_kernels.load(reference_dir / "reference/weights/team38_span_ch28_slim.pth")(x),
    )
    assert not torch.equal(models.load("span")(x), official(x))


def pictures():
    """uint8 ``[3, H, W]``: the package's drawn sample, and three drawn for the tests."""
    drawn = torch.from_numpy(np.array(sample.draw().convert("RGB"))).permute(2, 0, 1)
    height, width = (side // 4 * 4 for side in drawn.shape[1:])
    yield drawn[:, :height, :width]
    for seed in range(3):
        yield (image(1, 3, 128, 160, seed=seed)[0] * 255).round().byte()


def test_better_than_bicubic_on_drawn_pictures():
    model, gains = models.load("span"), []
    for high in pictures():
        low = bicubic_down(high[None], 4)
        truth = high.permute(1, 2, 0).numpy()
        bicubic = torch.nn.functional.interpolate(
            low.float(), scale_factor=4, mode="bicubic", align_corners=False
        )
        plain = bicubic[0].round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
        gains.append(psnr(upscaled(model, low[0]), truth) - psnr(plain, truth))
    # Measured: 1.3 dB on the sample, 1.0 to 1.2 on the others, whose edges are unlike photographs'.
    assert min(gains) > 0.8 and gains[0] > 1.1, gains
