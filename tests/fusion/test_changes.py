"""The plan is a cache: right after everything hosts do to the module it was made from."""

import copy
import io
import pickle
import subprocess
import sys
import threading
import warnings

import pytest
import torch
from fast import MODELS, check, is_fast, span
from images import image
from torch import nn

import esr_kernels.fusion as fusion
from esr_kernels.models.architectures.span import SPAN


@pytest.fixture(autouse=True)
def no_grad():
    with torch.no_grad():
        yield


@pytest.mark.parametrize("name", ["span", "span training", "swift refolding"])
def test_new_weights_are_seen(name, tolerance):
    model, other = fusion.accelerate(MODELS[name]()), MODELS[name]()
    x = image(1, 3, 16, 17)
    model(x)
    for p in other.parameters():
        p.mul_(1.1)
    model.load_state_dict(other.state_dict())
    check(model, x, tolerance)
    model.load_state_dict({k: v * 0.9 for k, v in other.state_dict().items()}, assign=True)
    check(model, x, tolerance)


def test_writes_behind_autograd_and_replaced_parts_are_seen(tolerance):
    model = fusion.accelerate(span())
    x = image(1, 3, 16, 17)
    model(x)
    model.conv_cat.weight.data = model.conv_cat.weight.data * 2  # bumps no version
    check(model, x, tolerance)
    model.conv_cat.weight.data.mul_(0.5)  # nor does this, as running averages of weights do it
    check(model, x, tolerance)
    model.conv_cat = nn.Conv2d(4 * 14, 14, 1)
    check(model, x, tolerance)
    model.conv_cat.bias = nn.Parameter(torch.ones(14))
    check(model, x, tolerance)


def test_models_born_in_inference_mode(tolerance):
    with torch.inference_mode():
        model = fusion.accelerate(span())
        x = image(1, 3, 16, 17)
        check(model, x, tolerance)
        model.conv_cat.weight.mul_(2)
        check(model, x, tolerance)


def test_a_plan_first_made_inside_inference_mode_serves_outside():
    model = copy.deepcopy(fusion.accelerate(span()))
    with torch.inference_mode():
        expected = model(image(1, 3, 16, 17))
    assert torch.equal(model(image(1, 3, 16, 17)), expected)


def test_optimiser_steps_are_seen(tolerance):
    with torch.enable_grad():
        model = fusion.accelerate(span(training_form=True))
        x = image(2, 3, 8, 9)
        optimiser = torch.optim.SGD(model.parameters(), 1e-4)
        for _ in range(2):
            model.train()
            assert not is_fast(model, x)
            model(x).square().mean().backward()
            assert model.block_2.c1_r.sk.weight.grad.abs().sum() > 0
            optimiser.step()
            optimiser.zero_grad()
            with torch.no_grad():
                check(model.eval(), x, tolerance)


def test_gradients_go_the_original_way_and_say_so_once():
    with torch.enable_grad():
        model = fusion.accelerate(span())
        x = image(1, 3, 8, 9)
        with pytest.warns(UserWarning, match="inference_mode"):
            model(x).sum().backward()
        assert model.conv_cat.weight.grad is not None
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert not is_fast(model, x)
            assert is_fast(model.requires_grad_(False), x)
            assert not is_fast(model, x.clone().requires_grad_())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_dtype_changes_and_back(dtype, tolerance):
    model = fusion.accelerate(span())
    x = image(1, 3, 16, 17)
    model(x)
    model.to(dtype)
    check(model, x.to(dtype), tolerance)
    check(model.float(), x, tolerance)


def test_copies_are_accelerated_and_apart(tolerance):
    model = fusion.accelerate(span(training_form=True))
    x = image(1, 3, 16, 17)
    before = model(x)
    twin = copy.deepcopy(model)
    assert vars(twin)["forward"].module is twin
    check(twin, x, tolerance)
    twin.conv_cat.weight.data.zero_()
    assert torch.equal(model(x), before) and not torch.equal(twin(x), before)


@pytest.mark.parametrize("how", ["pickle", "save"])
def test_a_pickle_is_that_of_the_plain_module(how, tolerance):
    model, x = fusion.accelerate(span(training_form=True)), image(1, 3, 16, 17)
    file = io.BytesIO()
    pickle.dump(model, file) if how == "pickle" else torch.save(model, file)
    assert b"esr_kernels.fusion" not in file.getvalue()
    file.seek(0)
    twin = pickle.load(file) if how == "pickle" else torch.load(file, weights_only=False)
    assert torch.equal(twin(x), fusion.restore(model)(x)) and not is_fast(twin, x)
    check(fusion.accelerate(twin), x, tolerance)


def test_a_pickle_loads_where_the_package_is_missing(tmp_path):
    model, x = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.SiLU()).eval(), image(1, 3, 9, 8)
    torch.save(
        (fusion.accelerate(model), x, fusion.restore(copy.deepcopy(model))(x)), tmp_path / "m"
    )
    code = f"""
import sys, torch
sys.modules["esr_kernels"] = None
model, x, expected = torch.load({str(tmp_path / "m")!r}, weights_only=False)
assert torch.allclose(model(x), expected)
torch.jit.script(model)
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


def test_loaded_in_training_mode_and_switched_later(tolerance):
    model = span(training_form=True).train()
    fusion.accelerate(model)
    plan = vars(model)["forward"].plans.first
    check(model.eval(), image(1, 3, 8, 9), tolerance)
    assert vars(model)["forward"].plans.first is plan


def test_models_without_values_wait_for_them(tolerance):
    with torch.device("meta"):
        model = SPAN(14, scale=2, norm=False).eval()
    fusion.accelerate(model)
    assert "meta" in str(fusion.explain(model))
    state = {k: v.clone() for k, v in span(norm=False).state_dict().items()}
    model.load_state_dict(state, assign=True)
    check(model, image(1, 3, 8, 9), tolerance)


def test_a_module_that_never_rests_is_let_alone():
    model = fusion.accelerate(span())
    x = image(1, 3, 8, 9)
    for _ in range(10):
        model.conv_cat.weight.data = model.conv_cat.weight.data.clone()
        model(x)
    assert "every call" in fusion.explain(model).title and not is_fast(model, x)
    assert is_fast(fusion.accelerate(model), x)


def test_threads_may_plan_at_once():
    model = fusion.accelerate(span())
    x = image(1, 3, 16, 17)
    with torch.inference_mode():
        expected = model(x)
    copies = [copy.deepcopy(model) for _ in range(4)]
    results = [None] * 4

    def work(i):
        with torch.inference_mode():
            results[i] = copies[i](x)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert all(torch.equal(r, expected) for r in results)
