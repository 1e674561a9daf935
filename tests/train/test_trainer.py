"""The loop: it learns, it is repeatable, and its state survives being stopped."""

import dataclasses
import json

import pytest
import torch
from pictures import TINY, draw
from safetensors.torch import load_file

from esr_kernels.models import load
from esr_kernels.train import __main__ as command
from esr_kernels.train.patches import read_pictures
from esr_kernels.train.recipe import RECIPES
from esr_kernels.train.trainer import Trainer

CPU = torch.device("cpu")


@pytest.fixture
def pictures(tmp_path):
    return read_pictures(draw(tmp_path / "in"), 4)


def trained(pictures, state, until=None, recipe=TINY) -> Trainer:
    trainer = Trainer(recipe, pictures, CPU)
    trainer.run(state, lambda: None, until=until)
    return trainer


def same(a: Trainer, b: Trainer) -> bool:
    states = ((t.model.state_dict(), t.average.state_dict()) for t in (a, b))
    return all(
        torch.equal(one[key], other[key]) for one, other in zip(*states, strict=True) for key in one
    )


def test_twenty_iterations_lower_the_loss(tmp_path, pictures):
    phase = dataclasses.replace(TINY.phases[0], iterations=20)
    trainer = trained(
        pictures, tmp_path / "s.pth", recipe=dataclasses.replace(TINY, phases=(phase,))
    )
    losses = [loss for _, loss, _ in trainer.log]
    assert [iteration for iteration, _, _ in trainer.log] == [5, 10, 15, 20]
    assert losses[-1] < 0.7 * losses[0]


def test_it_resumes_bit_for_bit(tmp_path, pictures):
    whole = trained(pictures, tmp_path / "whole.pth")
    for stop in (7, 14):
        trained(pictures, tmp_path / "s.pth", until=stop)
        resumed = Trainer(TINY, pictures, CPU)
        resumed.resume(tmp_path / "s.pth")
        assert resumed.iteration == stop
        resumed.run(tmp_path / "s.pth", lambda: None)
        assert same(whole, resumed)
        assert whole.log == resumed.log


def test_a_step_is_that_of_the_training_form(tmp_path, pictures):
    """Merging at every step changes nothing but the time it takes."""
    recipe = dataclasses.replace(
        TINY, phases=(dataclasses.replace(TINY.phases[0], autocast=False),)
    )
    trainer = Trainer(recipe, pictures, CPU)
    phase, _ = recipe.at(0)
    low, high = trainer._patches[phase].batch(0)
    plain = (trainer.model(low) - high).abs().mean()
    expected = torch.autograd.grad(plain, trainer._trained)
    merged = trainer._plain_loss(low, high, phase)
    torch.testing.assert_close(merged, plain)
    found = torch.autograd.grad(merged, trainer._trained)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-4, atol=2e-4 * other.abs().max().item())


def test_another_recipe_or_other_pictures_are_refused(tmp_path, pictures):
    trained(pictures, tmp_path / "s.pth", until=1)
    with pytest.raises(ValueError, match="another recipe"):
        Trainer(dataclasses.replace(TINY, seed=2), pictures, CPU).resume(tmp_path / "s.pth")
    with pytest.raises(ValueError, match="other pictures"):
        Trainer(TINY, pictures[1:], CPU).resume(tmp_path / "s.pth")
    with pytest.raises(ValueError, match="held out"):
        Trainer(TINY, pictures[:2], CPU)


def test_a_failed_save_leaves_the_last_one(tmp_path, pictures, monkeypatch):
    trainer = trained(pictures, tmp_path / "s.pth", until=1)
    before = (tmp_path / "s.pth").read_bytes()

    def full(part, path):
        raise OSError("no space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="no space"):
        trainer.save(tmp_path / "s.pth")
    assert (tmp_path / "s.pth").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "s.pth"]


def test_the_command_trains_stops_and_goes_on(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    monkeypatch.setitem(RECIPES, "cpu", TINY)
    arguments = [str(draw(tmp_path / "in")), str(tmp_path / "out"), "--device", "cpu"]
    step, steps = Trainer._step, []

    def interrupted(trainer, *phase):
        steps.append(trainer.iteration)
        if len(steps) == 8:
            raise KeyboardInterrupt
        step(trainer, *phase)

    monkeypatch.setattr(Trainer, "_step", interrupted)
    assert command.main(arguments) == 130
    assert command.main(arguments) == 0
    assert steps == [*range(8), *range(5, 20)]  # from the last save on, at iteration 5
    weights = tmp_path / "out/span.safetensors"
    assert str(weights) in capsys.readouterr().out
    card = json.loads((tmp_path / "out/span.json").read_text())
    assert (card["training_pictures"], card["log"][-1][0]) == (4, 20)
    assert {value.dtype for value in load_file(weights).values()} == {torch.float16}
    assert load(weights).conv_cat.out_channels == TINY.width
    assert (tmp_path / "out/span.png").stat().st_size > 1000


def test_the_command_says_what_is_wrong(tmp_path, capsys):
    assert command.main([str(tmp_path / "gone"), str(tmp_path / "out")]) == 2
    assert "no folder of training pictures" in capsys.readouterr().err
