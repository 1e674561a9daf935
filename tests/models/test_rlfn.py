"""RLFN against the official network's pictures, and in the corners of its input."""

import pytest
import torch
from golden import golden, limit
from images import image

from esr_kernels.models import RLFN, load


def small(**options) -> RLFN:
    torch.manual_seed(1)
    return RLFN(10, mid=12, blocks=2, esa_hidden=4, **options).eval().requires_grad_(False)


@pytest.mark.reference
def test_golden_output(reference_dir):
    entry, x, expected = golden(reference_dir, 0)
    model = load(reference_dir / "reference" / entry["weights"])
    assert (model(x) - expected).abs().max() <= limit(entry)
    assert sum(p.numel() for p in model.parameters()) == round(entry["params_M"] * 1e6)
    assert (model.name, model.scale, model.data_range, model.min_size) == ("rlfn", 4, 255.0, 15)


@pytest.mark.reference
def test_batches_and_memory_formats(reference_dir, tolerance):
    model = load(reference_dir / "reference" / "weights" / "team00_rlfn.pth")
    x = image(2, 3, 31, 33)
    exact = load("rlfn", dtype=torch.float64)(x.double())
    apart = torch.cat([model(x[:1]), model(x[1:])])
    tolerance(model(x), apart, exact)
    tolerance(model(x.contiguous(memory_format=torch.channels_last)), apart, exact)


@pytest.mark.parametrize("size", [(15, 15), (15, 31), (33, 16), (20, 47)])
@pytest.mark.parametrize("scale", [2, 4])
def test_odd_sizes_and_scales(size, scale):
    model = small(scale=scale)
    y = model(image(2, 3, *size))
    assert y.shape == (2, 3, scale * size[0], scale * size[1])
    assert y.isfinite().all()


def test_channels_other_than_three():
    assert small(in_channels=1, out_channels=1, scale=3)(image(1, 1, 16, 17)).shape[1] == 1


@pytest.mark.parametrize("size", [(14, 15), (15, 14), (1, 40)])
def test_below_the_minimum_the_error_names_it(size):
    model = small()
    with pytest.raises(ValueError, match=f"at least 15 x 15 pixels, got {size[0]} x {size[1]}"):
        model(image(1, 3, *size))
    with pytest.raises(ValueError, match="at least 15 x 15"):
        torch.fx.symbolic_trace(model)(image(1, 3, *size))


@pytest.mark.parametrize(
    ("x", "error", "says"),
    [
        (torch.zeros(3, 20, 20), ValueError, "expected a batch"),
        (torch.zeros(1, 4, 20, 20), ValueError, "expected 3 channels"),
        (torch.zeros(0, 3, 20, 20), ValueError, "empty"),
        (torch.zeros(1, 3, 0, 20), ValueError, "empty"),
        (torch.zeros(1, 3, 20, 20, dtype=torch.uint8), TypeError, "use x / 255"),
        ([[1.0]], TypeError, "got list"),
    ],
)
def test_bad_input(x, error, says):
    with pytest.raises(error, match=says):
        small()(x)


def test_range_inside_and_outside():
    """The same weights, told that they were trained in [0, 1], see what 255 would have made."""
    model, raw = small(), small(data_range=1.0)
    x = image(1, 3, 20, 21)
    torch.testing.assert_close(model(x), raw(x * 255) / 255, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("options", [{"scale": 2}, {"scale": 3, "in_channels": 1}, {}])
def test_detection_round_trip(options):
    options.setdefault("out_channels", options.get("in_channels", 3))
    model = small(**options)
    again = load(model.state_dict())
    x = image(1, model.in_channels, 17, 19)
    assert torch.equal(again(x), model(x))


def test_symbolic_trace_gives_the_same():
    model = small()
    x = image(1, 3, 18, 23)
    assert torch.equal(torch.fx.symbolic_trace(model)(x), model(x))
