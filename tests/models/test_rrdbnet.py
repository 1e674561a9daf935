"""RRDBNet under both spellings of its keys and at its three scales, against spandrel's too."""

import pytest
import torch
from images import image

from esr_kernels.models import load
from esr_kernels.models.architectures.rrdbnet import REAL_ESRGAN, RRDBNet


def seeded(growth=4, **options) -> RRDBNet:
    torch.manual_seed(7)
    return RRDBNet(6, growth=growth, blocks=2, **options).eval().requires_grad_(False)


def real_esrgan(model: RRDBNet) -> dict:
    return {REAL_ESRGAN.key(key): value for key, value in model.state_dict().items()}


@pytest.mark.parametrize("options", [{}, {"scale": 2}, {"scale": 1}])
def test_keys_of_real_esrgan(options):
    model = seeded(**options)
    state = real_esrgan(model)
    assert {"body.1.rdb3.conv5.bias", "conv_body.weight", "conv_up2.bias"} < state.keys()
    assert not state.keys() & {"RRDB_trunk.1.RDB3.conv5.bias", "trunk_conv.weight", "HRconv.bias"}
    loaded = load(state)
    assert loaded.scale == model.scale
    x = image(1, 3, 9, 7)
    assert torch.equal(loaded(x), model(x))
    assert torch.equal(load(loaded.state_dict())(x), model(x))


def test_errors_name_the_keys_of_the_checkpoint():
    state = real_esrgan(seeded())
    state["conv_hr.bias"] = torch.zeros(3)
    del state["body.1.rdb2.conv4.weight"]
    with pytest.raises(ValueError, match=r"\(rrdbnet\)") as error:
        load(state)
    assert "lacks: body.1.rdb2.conv4.weight" in str(error.value)
    assert "conv_hr.bias (expected (6,), got (3,))" in str(error.value)


def test_the_two_spellings_do_not_mix():
    model = seeded()
    mixed = real_esrgan(model) | {"trunk_conv.weight": model.trunk_conv.weight}
    with pytest.raises(ValueError, match=r"do not belong there: trunk_conv\.weight"):
        load(mixed)


@pytest.mark.parametrize("scale", [4, 2, 1])
@pytest.mark.parametrize("channels", [1, 3])
def test_spandrels_rrdbnet(spandrel, tolerance, scale, channels):
    model = seeded(32, scale=scale, in_channels=channels, out_channels=channels)
    state = real_esrgan(model)
    theirs = spandrel.ModelLoader().load_from_state_dict(dict(state))
    assert theirs.scale == scale
    x = image(1, channels, 11, 14)
    with torch.no_grad():
        expected = theirs.model(x)
    exact = load(state, dtype=torch.float64)(x.double())
    tolerance(load(state)(x), expected, exact)


@pytest.mark.parametrize(("scale", "least"), [(4, 1), (2, 2), (1, 3)])
def test_least_size_and_odd_sizes(scale, least):
    model = seeded(scale=scale)
    for height, width in ((least, least), (least, 7), (13, least)):
        y = model(image(2, 3, height, width))
        assert y.shape == (2, 3, scale * height, scale * width)
    if least > 1:
        with pytest.raises(ValueError, match=f"at least {least} x {least}"):
            model(torch.zeros(1, 3, least - 1, 9))


def test_other_scales_are_refused():
    with pytest.raises(ValueError, match="4, 2 or 1 times, not 3"):
        seeded(scale=3)
