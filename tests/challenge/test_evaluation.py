"""Whole evaluations: figures, turns, what is kept of an interrupted run, and what is refused."""

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

from esr_kernels import models
from esr_kernels.challenge import Complexity, evaluate, evaluation, official_table, psnr, ssim
from esr_kernels.challenge.contestant import Contestant

VALID = ("DIV2K_LSDIR_valid_HR", "DIV2K_LSDIR_valid_LR")
TEST = ("DIV2K_LSDIR_test_HR", "DIV2K_LSDIR_test_LR")


@pytest.fixture
def calls(monkeypatch):
    """The names of the networks, in the order in which they are given pictures."""
    made = []
    real = Contestant.input

    def spy(self, low):
        made.append(self.name)
        return real(self, low)

    monkeypatch.setattr(Contestant, "input", spy)
    return made


def test_figures(tmp_path, network, pairs):
    written = {"valid": pairs(*VALID, n=2), "test": pairs(*TEST, n=3)}
    (result,) = evaluate([f"{network}:Repeat"], tmp_path, ssim=True, luma=True, repeat=2)
    assert list(result.pictures) == ["valid", "test"] and result.model == "Repeat"
    for split, pictures in written.items():
        expected = []
        for name, (low, high) in pictures.items():
            picture = low.repeat(4, 0).repeat(4, 1)
            expected.append((name, psnr(picture, high), ssim(picture, high)))
        assert [(p.name, p.psnr, p.ssim) for p in result.pictures[split]] == expected
        assert result.mean(split, "psnr") == pytest.approx(np.mean([e[1] for e in expected]))
    for picture in result.pictures["valid"]:
        assert picture.first_ms > 0 and picture.warm_ms > 0 and 30 < picture.psnr_y < 60
    assert result.complexity.parameters == 1 and result.complexity.flops == 0
    means = [result.mean(split, "first_ms") for split in written]
    assert result.overall("first_ms") == pytest.approx(np.mean(means))


def test_without_repeats_and_extras(tmp_path, network, pairs):
    pairs(*VALID, n=1)
    (result,) = evaluate([f"{network}:Repeat"], tmp_path, repeat=0)
    (picture,) = result.pictures["valid"]
    assert picture.warm_ms is picture.ssim is picture.psnr_y is None
    assert result.mean("valid", "warm_ms") is None


def test_files_in_the_official_format(tmp_path, network, pairs):
    pairs(*VALID)
    (result,) = evaluate([f"{network}:Repeat"], tmp_path, output=tmp_path / "out")
    entry = json.loads((tmp_path / "out/results.json").read_text())["Repeat"]
    assert entry["valid_psnr"] == [p.psnr for p in result.pictures["valid"]]
    assert entry["valid_ave_psnr"] == result.mean("valid", "psnr")
    assert entry["valid_runtime"] == [p.first_ms for p in result.pictures["valid"]]
    assert entry["valid_ave_runtime"] == result.mean("valid", "first_ms")
    assert (entry["num_parameters"], entry["flops"], entry["num_conv"]) == (1e-6, 0, 0)
    text = (tmp_path / "out/results.txt").read_text()
    assert text == official_table([result]) + "\n"
    head, row = text.splitlines()
    titles = ["Val PSNR", "Val Time [ms]", "Params [M]", "FLOPs [G]", "Acts [M]", "Mem [M]", "Conv"]
    assert head.split("  ")[0] == "Model" and all(title in head for title in titles)
    assert row.split()[:2] == ["Repeat", f"{result.mean('valid', 'psnr'):.2f}"]


def test_networks_take_turns(tmp_path, network, pairs, calls):
    pairs(*VALID, n=2)
    evaluate([f"{network}:Repeat", f"{network}:Wide?range=255"], tmp_path, repeat=1)
    # For each picture the first call of both, then the inputs of the rounds.
    assert calls == ["Repeat", "Wide"] * 4


def test_finished_pictures_are_not_computed_again(tmp_path, network, pairs, calls, monkeypatch):
    pairs(*VALID, n=3)
    arguments = [f"{network}:Repeat"], tmp_path
    real, done = evaluation.run_pair, []

    def interrupted(*given):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(real(*given))
        return done[-1]

    monkeypatch.setattr(evaluation, "run_pair", interrupted)
    with pytest.raises(KeyboardInterrupt):
        evaluate(*arguments, output=tmp_path / "out", repeat=0)
    kept = json.loads((tmp_path / "out/results.json").read_text())["Repeat"]["pictures"]["valid"]
    assert [picture["name"] for picture in kept] == ["0801", "0802"]

    monkeypatch.setattr(evaluation, "run_pair", real)
    calls.clear()
    (result,) = evaluate(*arguments, output=tmp_path / "out", repeat=0)
    assert calls == ["Repeat", "Repeat"]  # one picture: a first call, and no rounds
    assert [p.name for p in result.pictures["valid"]] == ["0801", "0802", "0803"]
    assert result.pictures["valid"][:2] == [row for (row,) in done]
    calls.clear()
    assert evaluate(*arguments, output=tmp_path / "out", repeat=0) == [result] and calls == []
    (again,) = evaluate(*arguments, output=tmp_path / "out", repeat=0, overwrite=True)
    assert len(calls) == 6 and again.mean("valid", "psnr") == result.mean("valid", "psnr")


def test_a_second_model_joins_the_first(tmp_path, network, pairs, calls):
    pairs(*VALID, n=2)
    out = tmp_path / "out"
    evaluate([f"{network}:Repeat"], tmp_path, output=out, repeat=0)
    calls.clear()
    both = [f"{network}:Repeat", f"{network}:Wide?range=255"]
    evaluate(both, tmp_path, output=out, repeat=0)
    assert set(calls) == {"Wide"}
    evaluate([f"{network}:Wide?range=255"], tmp_path, output=out, repeat=0)
    assert list(json.loads((out / "results.json").read_text())) == ["Repeat", "Wide"]


def test_other_settings_are_not_mixed(tmp_path, network, pairs):
    pairs(*VALID, n=1)
    arguments = {"data": tmp_path, "output": tmp_path / "out", "repeat": 0}
    evaluate([f"{network}:Repeat"], **arguments)
    with pytest.raises(ValueError, match="Repeat with plain False instead of True"):
        evaluate([f"{network}:Repeat"], **arguments, plain=True)
    torch.save({"gain": torch.tensor(0.5)}, tmp_path / "half.pth")
    half = f"{network}:Repeat?weights={tmp_path}/half.pth"
    with pytest.raises(ValueError, match="Repeat with weights"):
        evaluate([half], **arguments)
    (result,) = evaluate([half], **arguments, overwrite=True)
    assert result.mean("valid", "psnr") < 20


def test_results_of_others_are_not_overwritten(tmp_path, network, pairs):
    pairs(*VALID, n=1)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/results.json").write_text('{"00_RLFN_baseline": {"valid_ave_psnr": 26.96}}')
    with pytest.raises(ValueError, match="no results of this program"):
        evaluate([f"{network}:Repeat"], tmp_path, output=tmp_path / "out")
    assert "26.96" in (tmp_path / "out/results.json").read_text()


def test_a_broken_picture_keeps_what_was_finished(tmp_path, network, pairs):
    pairs(*VALID, n=2)
    path = tmp_path / VALID[0] / "0802.png"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"0802\.png is broken"):
        evaluate([f"{network}:Repeat"], tmp_path, output=tmp_path / "out")
    kept = json.loads((tmp_path / "out/results.json").read_text())["Repeat"]["pictures"]["valid"]
    assert [picture["name"] for picture in kept] == ["0801"]
    assert [p.name for p in (tmp_path / "out").iterdir() if p.name.startswith(".")] == []


def test_a_network_that_fails_is_named(tmp_path, network, pairs):
    pairs(*VALID)
    with pytest.raises(RuntimeError, match=r"Broken failed on .*0801x4.png: no such layer"):
        evaluate([f"{network}:Broken"], tmp_path)


def test_what_cannot_be_counted_is_evaluated_all_the_same(tmp_path, network, pairs, monkeypatch):
    def missing(module):
        raise ValueError("fvcore is missing")

    monkeypatch.setattr(evaluation, "complexity", missing)
    pairs(*VALID, n=1)
    (result,) = evaluate([f"{network}:Repeat"], tmp_path, output=tmp_path / "out")
    assert result.complexity is None and "fvcore is missing" in result.note
    assert math.isfinite(result.mean("valid", "psnr"))
    # Counted when the means are there, with nothing else done again.
    monkeypatch.undo()
    (again,) = evaluate([f"{network}:Repeat"], tmp_path, output=tmp_path / "out")
    assert again.complexity.parameters == 1 and again.note == ""
    assert again.pictures == result.pictures


def test_refusals(tmp_path, network, pairs):
    pairs(*VALID)
    with pytest.raises(ValueError, match="repeat"):
        evaluate([f"{network}:Repeat"], tmp_path, repeat=-1)
    with pytest.raises(ValueError, match="two models are called 'Repeat'"):
        evaluate([f"{network}:Repeat"] * 2, tmp_path)


def _independent(model, folder) -> list[float]:
    """PSNR of every picture in plain torch and numpy, sharing no code with the package."""
    values = []
    for path in sorted((folder / "LRx4").iterdir()):
        low = np.array(Image.open(path).convert("RGB"))
        high = np.array(Image.open(folder / "HR" / path.name).convert("RGB")).astype(float)
        with torch.no_grad():
            y = model(torch.tensor(low).permute(2, 0, 1)[None] / 255)[0].permute(1, 2, 0)
        y = (y * 255).round().clamp(0, 255).double().numpy()
        high = high[: y.shape[0], : y.shape[1]]
        error = (y - high)[4:-4, 4:-4]
        values.append(20 * np.log10(255 / np.sqrt((error**2).mean())))
    return values


@pytest.mark.reference
@pytest.mark.parametrize("split", ["Set5", pytest.param("Set14", marks=pytest.mark.slow)])
def test_official_networks(split, reference_dir, monkeypatch):
    # Its own test counts them, and takes its time.
    monkeypatch.setattr(evaluation, "complexity", lambda module: Complexity(0, 0, 0, 0))
    names = ["rlfn", "span", "safmnpp"]
    specs = [f"{name}?weights=official" for name in names]
    data = reference_dir / "data"

    def table(**options) -> list[list[float]]:
        results = evaluate(specs, data, splits=[split], repeat=0, **options)
        return [[picture.psnr for picture in result.pictures[split]] for result in results]

    plain, fast = table(plain=True), table()
    for name, exact, close in zip(names, plain, fast, strict=True):
        expected = _independent(models.load(name, weights="official"), data / split)
        assert exact == pytest.approx(expected, abs=1e-9)
        # Accelerated, hardly a pixel differs, by one level.
        assert close == pytest.approx(expected, abs=1e-3)
    assert table() == fast
