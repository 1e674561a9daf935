"""Networks from every kind of source, and what is said of those that cannot take part."""

import numpy as np
import pytest
import torch

from esr_kernels.challenge.contestant import enter
from esr_kernels.models import SPAN
from esr_kernels.models.architectures.quicksrnet import QuickSRNet

LOW = np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8)


def upscaled(contestant) -> np.ndarray:
    with torch.inference_mode():
        return contestant.output(contestant.run(contestant.input(LOW)), LOW)


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("spec", ["Repeat", "Wide?range=255"])
def test_own_code(network, spec, plain):
    contestant = enter(f"{network}:{spec}", plain=plain)
    assert contestant.name == spec.partition("?")[0]
    assert np.array_equal(upscaled(contestant), LOW.repeat(4, 0).repeat(4, 1))


def test_own_module_by_name(network, monkeypatch):
    monkeypatch.syspath_prepend(network.parent)
    network.rename(network.with_name("importable_net.py"))
    assert enter("importable_net:Repeat").name == "Repeat"


def test_a_module_is_left_as_it_is(network):
    module = SPAN(8).train()
    contestant = enter(module)
    assert contestant.name == "span" and module.training
    assert next(module.parameters()).requires_grad
    assert "forward" not in module.__dict__  # not accelerated: that was the copy


def test_checkpoint_and_weights(tmp_path, network):
    torch.manual_seed(0)
    torch.save(SPAN(8).state_dict(), tmp_path / "mine.pth")
    assert enter(tmp_path / "mine.pth").name == "mine"
    torch.save({"params": {"gain": torch.tensor(0.5)}}, tmp_path / "half.pth")
    whole, half = enter(f"{network}:Repeat"), enter(f"{network}:Repeat?weights={tmp_path}/half.pth")
    assert whole.weights != half.weights == enter(half.counted).weights
    expected = np.rint(np.float32(0.5) * LOW.repeat(4, 0).repeat(4, 1))
    assert np.array_equal(upscaled(half), expected)


def test_values_are_clamped_and_rounded(network):
    contestant = enter(f"{network}:Repeat")
    y = contestant.input(np.full((1, 1, 3), 255, np.uint8)).repeat(1, 1, 4, 4)
    y[0, 0], y[0, 1], y[0, 2] = -0.1, 1.7, 99.6 / 255
    picture = contestant.output(y, np.zeros((1, 1, 3), np.uint8))
    assert picture.dtype == np.uint8 and (picture == [0, 255, 100]).all()


def test_what_loading_folds_is_counted_as_written(tmp_path):
    torch.manual_seed(0)
    torch.save(QuickSRNet(8, layers=3).state_dict(), tmp_path / "mine.pth")
    contestant = enter(tmp_path / "mine.pth", plain=True)
    assert (contestant.counted.copies, contestant.run.copies) == (4, 1)
    x = contestant.input(LOW)
    torch.testing.assert_close(contestant.run(x), contestant.counted(x))


@pytest.mark.parametrize(
    ("spec", "error", "says"),
    [
        ("net.py:Absent", ValueError, "no torch.nn.Module called Absent"),
        ("net.py:function", ValueError, "no torch.nn.Module called function"),
        ("net.py:Asks", TypeError, "Asks must work without arguments"),
        ("net.py:Repeat?range=2", ValueError, "is 1 or 255"),
        ("net.py:Repeat?size=3", ValueError, "range=255 and weights=FILE"),
        ("net.py:Repeat?weights=absent.pth", FileNotFoundError, "absent.pth"),
        ("absent.py:Repeat", FileNotFoundError, "absent.py"),
        ("absent_package:Repeat", ValueError, "absent_package"),
        ("absent.pth", FileNotFoundError, "neither a checkpoint"),
        ("absent.pth?range=255", FileNotFoundError, "neither a checkpoint"),
    ],
)
def test_refusals(network, monkeypatch, spec, error, says):
    monkeypatch.chdir(network.parent)
    with pytest.raises(error, match=says):
        enter(spec)


def test_weights_that_do_not_fit(tmp_path, network):
    torch.save({"width": torch.ones(3)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="does not fit Repeat"):
        enter(f"{network}:Repeat?weights={tmp_path}/other.pth")


@pytest.mark.parametrize(
    ("spec", "says"),
    [("Twice", r"\[1, 3, 10, 12\] where \[1, 3, 20, 24\]"), ("NotFinite", "finite")],
)
def test_wrong_results(network, spec, says):
    with pytest.raises(ValueError, match=says):
        upscaled(enter(f"{network}:{spec}"))


@pytest.mark.parametrize("plain", [True, False])
def test_reduced_precision(plain):
    torch.manual_seed(0)
    contestant = enter(SPAN(8), dtype=torch.bfloat16, plain=plain)
    assert contestant.run(contestant.input(LOW)).isfinite().all()
    assert contestant.dtype == (torch.bfloat16 if plain else torch.float32)
    assert next(contestant.counted.parameters()).dtype == torch.float32
