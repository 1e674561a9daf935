"""``esr-kernels evaluate`` and ``leaderboard`` as a shell sees them."""

import json
import os

import torch

from esr_kernels import backends
from esr_kernels.challenge import evaluation
from esr_kernels.challenge.protocol import run_pair
from esr_kernels.cli import main

VALID = ("DIV2K_LSDIR_valid_HR", "DIV2K_LSDIR_valid_LR")


def run(capsys, *arguments) -> str:
    assert main.main(list(map(str, arguments))) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def refused(capsys, *arguments) -> str:
    assert main.main(list(map(str, arguments))) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("esr-kernels: ")
    return err


def test_from_pictures_to_a_ranking(tmp_path, network, pairs, monkeypatch, capsys):
    pairs(*VALID)
    monkeypatch.chdir(tmp_path)
    models = "net.py:Repeat", "net.py:Wide?range=255"
    arguments = "evaluate", "--model", *models, "--data", ".", "--repeat", 1, "--ssim"
    out = run(capsys, *arguments)
    head, *rows = out.splitlines()
    assert "Val PSNR" in head and "Val SSIM" in head and "Val warm [ms]" in head
    assert [row.split()[0] for row in rows] == ["Repeat", "Wide"]
    assert (tmp_path / "results.txt").read_text().startswith("Model")
    # The same table twice: nothing is measured again, however the models are given.
    assert run(capsys, *arguments) == out
    again = "evaluate", "--model", models[0], "--model", models[1], "--data", ".", "--repeat", 1
    assert run(capsys, *again, "--ssim") == out

    saved = "--save", "a.md", "--save", "a.svg"
    lines = run(capsys, "leaderboard", "results.json", *saved).splitlines()
    assert {line.split()[1] for line in lines[1:3]} == {"Repeat", "Wide"}
    assert lines[3].split()[:3] == ["-", "RLFN", "(Baseline)"]
    assert (tmp_path / "a.md").read_text().startswith("| Rank") and (tmp_path / "a.svg").exists()


def test_options_arrive(tmp_path, network, pairs, monkeypatch, capsys):
    monkeypatch.setenv("ESR_KERNELS_BACKEND", "")
    chosen, real = [], run_pair

    def spy(*given):
        chosen.append(backends.usable(torch.device("cpu")))
        return real(*given)

    monkeypatch.setattr(evaluation, "run_pair", spy)
    pairs("few/HR", "few/LRx4")
    arguments = f"--data {tmp_path} --split few --output {tmp_path}/out --device cpu --luma --plain"
    arguments += " --dtype bfloat16 --repeat 0 --backend reference --overwrite"
    out = run(capsys, "evaluate", "--model", f"{network}:Repeat", *arguments.split())
    assert "few PSNR-Y" in out and "warm" not in out and "SSIM" not in out
    settings = json.loads((tmp_path / "out/results.json").read_text())["Repeat"]["settings"]
    assert (settings["device"], settings["dtype"], settings["plain"]) == ("cpu", "bfloat16", True)
    # In force while the networks run, and for them only.
    assert settings["backend"] == "reference"
    assert chosen and all(names == ["reference"] for names in chosen)
    assert os.environ["ESR_KERNELS_BACKEND"] == ""


def test_the_report(capsys):
    lines = run(capsys, "leaderboard", "--paper").splitlines()
    assert len(lines) == 36 and lines[1].split()[:2] == ["1", "XiaomiMM"]
    lines = run(capsys, "leaderboard", "--paper", "--baseline", "XiaomiMM").splitlines()
    assert len(lines) == 35 and lines[1].split()[:3] == ["1", "Cao", "Group"]
    assert lines[-1].split()[:2] == ["-", "XiaomiMM"] and "7.39" in lines[-1]


def test_refusals(tmp_path, network, pairs, capsys):
    model = "--model", f"{network}:Repeat"
    assert "no folder" in refused(capsys, "evaluate", *model, "--data", tmp_path / "absent")
    pairs(*VALID)
    data = "--data", tmp_path, "--output", tmp_path / "out"
    assert "no split" in refused(capsys, "evaluate", *model, *data, "--split", "test")
    assert "is not a backend" in refused(capsys, "evaluate", *model, *data, "--backend", "abacus")
    failing = "--model", f"{network}:Broken"
    assert "Broken failed on" in refused(capsys, "evaluate", *failing, *data)
    assert "--paper" in refused(capsys, "leaderboard")
    assert "no results at" in refused(capsys, "leaderboard", tmp_path / "absent.json")
    assert "no network 'x'" in refused(capsys, "leaderboard", "--paper", "--baseline", "x")


def test_a_note_says_what_was_not_counted(tmp_path, network, pairs, monkeypatch, capsys):
    def missing(module):
        raise ValueError("pip install fvcore")

    monkeypatch.setattr(evaluation, "complexity", missing)
    pairs(*VALID, n=1)
    arguments = "evaluate", "--model", f"{network}:Repeat", "--data", tmp_path, "--output", tmp_path
    assert main.main(list(map(str, arguments))) == 0
    assert "note: Repeat not counted: pip install fvcore" in capsys.readouterr().err
    error = refused(capsys, "leaderboard", tmp_path / "results.json")
    assert "has no 'num_parameters'" in error
