"""The accelerated instance: the same results for its callers, whatever they do around it."""

import copy
import inspect

import pytest
import torch
from fast import MODELS, check, is_fast, span
from images import image
from lookalikes import BranchingRoot, PartlyBranching

import esr_kernels.fusion as fusion
from esr_kernels.fusion.accelerate import Accelerated


@pytest.fixture(autouse=True)
def no_grad():
    with torch.no_grad():
        yield


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("shape", [(1, 3, 31, 33), (2, 3, 15, 40)])
def test_same_results(make, shape, tolerance):
    torch.manual_seed(0)
    model = make()
    keys, parameters = list(model.state_dict()), list(model.parameters())
    assert fusion.accelerate(model) is model
    check(model, image(*shape), tolerance)
    check(model, image(*shape).contiguous(memory_format=torch.channels_last), tolerance)
    check(model, image(*shape[:3], 2 * shape[3])[..., ::2], tolerance)
    assert list(model.state_dict()) == keys and type(model).__name__ != "Accelerated"
    assert all(a is b for a, b in zip(model.parameters(), parameters, strict=True))


@pytest.mark.parametrize("size", [(1, 1), (7, 3)])
def test_span_takes_tiny_pictures(size, tolerance):
    check(fusion.accelerate(span()), image(1, 3, *size), tolerance)


def test_outputs_are_fresh_and_may_be_written():
    model = fusion.accelerate(span())
    x = image(1, 3, 16, 16)
    first = model(x)
    kept = first.clone()
    first.clamp_(0, 1)
    assert torch.equal(model(x), kept) and model(x).data_ptr() != model(x * 1).data_ptr()


def test_parts_of_a_root_that_cannot_be_followed_are_accelerated():
    model = fusion.accelerate(BranchingRoot().eval())
    assert not is_fast(model, image(1, 3, 8, 8))
    assert isinstance(vars(model.head)["forward"], Accelerated)
    ours = model(image(1, 3, 9, 7))
    plain = fusion.restore(model)
    assert "forward" not in vars(model.tail)
    torch.testing.assert_close(ours, plain(image(1, 3, 9, 7)))


def test_compute_dtype(tolerance):
    model = fusion.accelerate(PartlyBranching().eval(), compute_dtype=torch.bfloat16)
    x = image(1, 3, 16, 17)
    assert is_fast(model, x) and model(x).dtype == torch.float32
    plain = fusion.restore(copy.deepcopy(model))
    exact = plain.double()(x.double())
    tolerance(model(x), plain.bfloat16()(x.bfloat16()).float(), exact)
    with pytest.raises(TypeError, match="compute_dtype"):
        fusion.accelerate(model, compute_dtype=torch.int8)
    with pytest.raises(TypeError, match="compute_dtype"):
        fusion.accelerate(model, compute_dtype="half")


def test_hooks_keep_working():
    model = span()
    seen = []
    model.register_forward_hook(lambda m, args, y: seen.append("root"))
    model.block_2.c1_r.register_forward_hook(lambda m, args, y: seen.append(y.shape[1]))
    fusion.accelerate(model)
    assert not seen  # looking at the model calls nobody
    x = image(1, 3, 8, 9)
    assert is_fast(model, x) and seen == [14, "root"]
    model.conv_2.register_forward_pre_hook(lambda m, args: seen.append("late"))
    model(x)
    assert seen[2:] == [14, "late", "root"]


@pytest.mark.parametrize(
    "bad",
    [
        torch.zeros(1, 3, 8, 9, dtype=torch.uint8),
        torch.zeros(1, 3, 8, 9, dtype=torch.float64),
        torch.zeros(1, 4, 8, 9),
        torch.zeros(2, 8, 9),
        torch.zeros(0, 3, 8, 9),
        torch.zeros(1, 3, 8, 9, device="meta"),
        None,
    ],
)
@pytest.mark.parametrize("make", [MODELS["span"], MODELS["swift"]])
def test_unfit_input_gets_the_modules_own_answer(make, bad):
    def answer(model):
        try:
            return model(bad).shape
        except Exception as error:
            return type(error), str(error)

    model = make()
    expected = answer(model)
    assert answer(fusion.accelerate(model)) == expected


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_others_who_record_see_plain_torch():
    from torch.utils.flop_counter import FlopCounterMode

    model, x = span(), image(1, 3, 8, 9)
    with FlopCounterMode(display=False) as plain:
        model(x)
    with FlopCounterMode(display=False) as ours:
        fusion.accelerate(model)(x)
    assert ours.get_total_flops() == plain.get_total_flops() > 0
    assert torch.jit.trace(model, x)(x).shape == torch.fx.symbolic_trace(model)(x).shape
    assert list(inspect.signature(model.forward).parameters) == ["x"]
    with torch.autocast("cpu", torch.bfloat16):
        assert model(x).dtype == torch.bfloat16


def test_again_and_undo():
    model = span()
    fusion.accelerate(fusion.accelerate(model))
    assert vars(model)["forward"].previous is None
    assert fusion.restore(model) is model and "forward" not in vars(model)
    assert fusion.restore(model) is model


def test_a_forward_that_was_replaced_before_is_kept():
    model = span()
    inner, model.forward = model.forward, lambda x: 2 * inner(x)
    mine = vars(model)["forward"]
    x = image(1, 3, 8, 9)
    expected = model(x)
    torch.testing.assert_close(fusion.accelerate(model)(x), expected, rtol=1e-4, atol=1e-5)
    assert vars(fusion.restore(model))["forward"] is mine


def test_descriptors_and_what_is_none():
    class Descriptor:
        model = span()

    assert fusion.accelerate(Descriptor).model is Descriptor.model
    assert is_fast(Descriptor.model, image(1, 3, 8, 9))
    for verb in (fusion.accelerate, fusion.explain, fusion.restore, fusion.halo):
        with pytest.raises(TypeError, match="Module"):
            verb("span")


def test_random_state_is_left_alone():
    model = span()
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    fusion.accelerate(model)
    assert torch.equal(torch.rand(3), expected)


def test_the_default_device_is_none_of_its_business(tolerance):
    """As with ``torch.set_default_device("cuda")``; ``meta`` shows each tensor that goes astray."""
    model, x = span(), image(1, 3, 20, 21)
    with torch.device("meta"):
        fusion.accelerate(model.requires_grad_(False))
        ours = model(x)
    assert ours.device == x.device
    check(model, x, tolerance)
