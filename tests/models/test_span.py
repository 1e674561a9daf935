"""SPAN in its two forms: against the official pictures, against itself, and against spandrel's."""

import copy

import pytest
import torch
from golden import golden, limit
from images import image

from esr_kernels.models import SPAN, load
from esr_kernels.models.reparam import Conv3XC


def seeded(*args, **options) -> SPAN:
    torch.manual_seed(2)
    return SPAN(*args, **options).eval().requires_grad_(False)


@pytest.mark.reference
@pytest.mark.parametrize(("team", "name", "width"), [(38, "span", 28), (39, "span-26", 26)])
def test_golden_output(reference_dir, team, name, width):
    entry, x, expected = golden(reference_dir, team)
    model = load(reference_dir / "reference" / entry["weights"])
    assert (model(x) - expected).abs().max() <= limit(entry)
    assert sum(p.numel() for p in model.parameters()) == round(entry["params_M"] * 1e6)
    assert model.conv_cat.out_channels == width
    assert torch.equal(load(name, weights="official")(x), model(x))


@pytest.mark.reference
def test_batches_and_memory_formats(reference_dir, tolerance):
    model = load(reference_dir / "reference" / "weights" / "team38_span_ch28_slim.pth")
    x = image(2, 3, 31, 33)
    exact = copy.deepcopy(model).double()(x.double())
    apart = torch.cat([model(x[:1]), model(x[1:])])
    tolerance(model(x), apart, exact)
    tolerance(model(x.contiguous(memory_format=torch.channels_last)), apart, exact)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (31, 33)])
@pytest.mark.parametrize(("width", "scale"), [(26, 4), (48, 2), (52, 3), (46, 1)])
def test_any_size_width_and_scale(size, width, scale):
    y = seeded(width, scale=scale)(image(2, 3, *size))
    assert y.shape == (2, 3, scale * size[0], scale * size[1])


def test_the_tail_takes_the_activated_hidden_map():
    model = seeded(6)
    seen = {}
    model.block_6.c1_r.register_forward_hook(lambda *call: seen.update(raw=call[2]))
    model.conv_cat.register_forward_pre_hook(lambda _, call: seen.update(joined=call[0]))
    model(image(1, 3, 9, 8))
    assert torch.equal(seen["joined"][:, 18:], torch.nn.functional.silu(seen["raw"]))


def test_the_mean_follows_the_module_but_is_no_weight():
    model = seeded(4)
    assert "mean" not in model.state_dict()
    x = image(1, 3, 6, 5)
    assert model.double()(x.double()).dtype == torch.float64
    assert model.bfloat16()(x.bfloat16()).dtype == torch.bfloat16


def test_no_norm():
    plain, normed = seeded(4, norm=False), seeded(4)
    assert "no_norm" in plain.state_dict()
    x = image(1, 3, 9, 7)
    torch.testing.assert_close(plain((x - normed.mean) * 255), normed(x))
    assert not load(plain.state_dict()).norm
    grey = seeded(4, norm=False, in_channels=1, out_channels=1, scale=2)
    assert load(grey.state_dict())(image(1, 1, 5, 5)).shape == (1, 1, 10, 10)
    with pytest.raises(ValueError, match="norm=False"):
        SPAN(4, in_channels=1)


@pytest.mark.parametrize("options", [{}, {"scale": 2}, {"norm": False}])
def test_training_form_equals_its_slim_form(options):
    model = seeded(12, training_form=True, **options)
    exact = model.double()
    slim = exact.slim()
    x = image(1, 3, 13, 11).double()
    assert slim.state_dict().keys() == seeded(12, **options).state_dict().keys()
    assert (slim(x) - exact(x)).abs().max() <= 1e-11 * exact(x).abs().max()


def test_loading_merges_once_in_float64():
    model = seeded(12, training_form=True)
    loaded = load(model.state_dict())
    assert not loaded.training_form
    assert not any(isinstance(module, Conv3XC) for module in loaded.modules())
    merged, _ = model.block_3.c2_r.merge()
    assert torch.equal(loaded.block_3.c2_r.eval_conv.weight, merged.float())


def test_training_form_trains_and_saves_what_it_learned():
    torch.manual_seed(4)
    model = SPAN(6, training_form=True).train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    assert not any("eval_conv" in name for name, p in model.named_parameters() if p.requires_grad)
    optimiser = torch.optim.SGD(trained, lr=1e-4)
    x = image(1, 3, 8, 8)
    for _ in range(2):
        optimiser.zero_grad()
        model(x).square().mean().backward()
        optimiser.step()
    assert all(parameter.grad is not None for parameter in trained)
    saved = copy.deepcopy(model).state_dict()
    weight, bias = model.conv_2.merge()
    assert torch.equal(saved["conv_2.eval_conv.weight"], weight.float())
    assert torch.equal(saved["conv_2.eval_conv.bias"], bias.float())
    slim = model.slim()
    assert slim.training and all(parameter.requires_grad for parameter in slim.parameters())
    assert isinstance(model.conv_2, Conv3XC)
    assert not any(isinstance(module, Conv3XC) for module in slim.modules())


@pytest.mark.parametrize("training_form", [False, True])
def test_symbolic_trace_gives_the_same(training_form):
    model = seeded(5, training_form=training_form)
    traced = torch.fx.symbolic_trace(model)
    x = image(1, 3, 9, 14)
    assert torch.equal(traced(x), model(x))
    with pytest.raises(ValueError, match="expected 3 channels"):
        traced(x[:, :2])


@pytest.mark.parametrize(
    ("width", "scale", "norm"), [(48, 4, True), (48, 2, True), (52, 2, True), (28, 4, False)]
)
def test_spandrels_span(spandrel, tolerance, width, scale, norm):
    from spandrel.architectures.SPAN import SPAN as Theirs

    torch.manual_seed(6)
    theirs = Theirs(
        num_in_ch=3, num_out_ch=3, feature_channels=width, upscale=scale, norm=norm
    ).eval()
    descriptor = spandrel.ModelLoader().load_from_state_dict(theirs.state_dict())
    ours = load(descriptor.model.state_dict())
    assert (ours.scale, ours.norm, ours.conv_cat.out_channels) == (scale, norm, width)
    x = image(1, 3, 15, 18)
    with torch.no_grad():
        expected = descriptor.model(x)
    exact = load(descriptor.model.state_dict(), dtype=torch.float64)(x.double())
    tolerance(ours(x), expected, exact)
