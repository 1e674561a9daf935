"""The programs in ``examples/`` run as their docstrings say, offline, and stay short."""

import runpy
import sys
from pathlib import Path

import pytest
import torch
from images import image
from PIL import Image

from esr_kernels.models.architectures.span import SPAN
from esr_kernels.pictures import sample

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
MOST_LINES = 30


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs an example in a folder of its own; returns what it printed and its variables."""
    monkeypatch.chdir(tmp_path)

    def example(name: str, *arguments: str) -> tuple[str, dict]:
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        torch.manual_seed(0)
        variables = runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        return capsys.readouterr().out, variables

    return example


@pytest.fixture
def picture(tmp_path) -> Path:
    """A small one, of 24 x 16 pixels."""
    path = tmp_path / "in.png"
    sample.draw().crop((60, 40, 84, 56)).save(path)
    return path


def size(path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def test_spandrel_model(spandrel, run, picture):
    torch.manual_seed(0)
    torch.save(SPAN(12, training_form=True).state_dict(), "model.pth")
    out, _ = run("spandrel_model", "model.pth", "in.png", "out.png")
    assert size("out.png") == (96, 64)
    assert out.count("spab") == 6  # every block of SPAN is fused


def test_basicsr_network(run):
    # A checkpoint as the trainer leaves it: of the example's own class.
    source = (EXAMPLES / "basicsr_network.py").read_text().partition("\nnet = ")[0]
    names: dict = {}
    exec(source, names)
    torch.manual_seed(0)
    trained = names["ConvNet"]().eval()
    torch.save({"params": {}, "params_ema": trained.state_dict()}, "net_g.pth")
    out, variables = run("basicsr_network", "net_g.pth")
    assert out.count("conv_act") == 5
    x = image(1, 3, 17, 23)
    with torch.inference_mode():
        torch.testing.assert_close(variables["net"](x), trained(x), rtol=0, atol=1e-5)


def test_ntire_test_demo(run, picture):
    Path("lr").mkdir()
    for name in ("a.png", "b.png"):
        Path("lr", name).write_bytes(picture.read_bytes())
    out, variables = run("ntire_test_demo", "lr", "sr")
    assert [line.split(":")[0] for line in out.splitlines()] == ["a.png", "b.png"]
    assert size("sr/a.png") == size("sr/b.png") == (96, 64)
    assert "forward" in vars(variables["model"])  # it is accelerated


def test_pictures(run, picture):
    out, _ = run("pictures", "in.png", "out.png")
    assert size("out.png") == (96, 64) and out
    Path("photos", "deeper").mkdir(parents=True)
    Path("photos", "deeper", "a.png").write_bytes(picture.read_bytes())
    Path("photos", "broken.png").write_bytes(b"broken")
    out, _ = run("pictures", "photos", "large")
    assert size("large/deeper/a.png") == (96, 64)
    assert "1 upscaled, 1 failed" in out and "broken.png: " in out


def test_own_network(run):
    out, variables = run("own_network")
    assert out == "(1, 3, 192, 256)\n"
    network = variables["TinySR"]()
    x = image(1, 3, 9, 11)
    f = torch.nn.functional.silu(network.first(x))
    for conv in network.body:
        f = torch.nn.functional.silu(conv(f)) + f
    enlarged = torch.nn.functional.interpolate(x, scale_factor=4)
    expected = torch.nn.functional.pixel_shuffle(network.tail(f), 4) + enlarged
    torch.testing.assert_close(network(x), expected, rtol=0, atol=1e-5)
    before = [p.grad for p in network.parameters()]
    network(x).mean().backward()
    assert not any(before) and all(p.grad.abs().sum() > 0 for p in network.parameters())


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_each_is_short_and_run_here(path):
    assert len(path.read_text().splitlines()) <= MOST_LINES
    assert f"test_{path.stem}" in globals(), f"write a test that runs {path.name}"
