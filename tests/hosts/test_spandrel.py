"""As a user of spandrel would: its own SPAN class, its loader, its descriptor."""

import pytest
import torch
from images import image

import esr_kernels

pytestmark = pytest.mark.usefixtures("spandrel")


def training_form(width: int, scale: int, norm: bool) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    from esr_kernels.models.architectures.span import SPAN

    return SPAN(width, scale=scale, norm=norm, training_form=True).state_dict()


def load(width: int, scale: int = 4, norm: bool = True):
    from spandrel import ModelLoader

    return ModelLoader().load_from_state_dict(training_form(width, scale, norm))


@pytest.mark.parametrize(("width", "scale", "norm"), [(12, 4, True), (28, 2, False)])
def test_same_picture_before_and_after(width, scale, norm, tolerance):
    descriptor = load(width, scale, norm)
    assert type(descriptor.model).__module__.startswith("spandrel.")
    x = image(1, 3, 31, 33)
    keys = list(descriptor.model.state_dict())
    exact = descriptor.model
    before = descriptor(x)
    assert esr_kernels.accelerate(descriptor) is descriptor
    after = descriptor(x)  # spandrel clamps the output in place
    exact = load(width, scale, norm).model.double()
    with torch.inference_mode():
        tolerance(after, before, exact(x.double()).clamp(0, 1))
    assert list(descriptor.model.state_dict()) == keys
    assert torch.equal(descriptor(x), after)


def test_it_really_is_fused_and_stays_so():
    descriptor = esr_kernels.accelerate(load(12))
    lines = esr_kernels.explain(descriptor).lines
    assert sum(line.what == "spab" for line in lines) == 6
    plan = descriptor.model.forward.plans.first
    for height in (16, 17):
        descriptor(image(1, 3, height, 20))
    assert descriptor.model.forward.plans.first is plan and plan.run is not None
    assert esr_kernels.halo(descriptor) == 21


def test_moves_through_spandrel(tolerance):
    descriptor = esr_kernels.accelerate(load(12))
    x = image(1, 3, 16, 20)
    descriptor(x)
    descriptor.to(torch.float64)
    exact = load(12).to(torch.float64)(x.double())
    torch.testing.assert_close(descriptor(x.double()), exact, rtol=0, atol=1e-9)
    esr_kernels.restore(descriptor)
    torch.testing.assert_close(descriptor(x.double()), exact, rtol=0, atol=1e-9)
