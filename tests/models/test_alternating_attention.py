"""IFADNet and LSANet in the form they are trained in, and merged."""

import copy

import pytest
import torch
from images import image
from torch import nn

from esr_kernels.models import find
from esr_kernels.models.registry import identify
from esr_kernels.models.reparam import TrainingForm

NAMES = ("ifadnet", "lsanet")


def training(name: str) -> nn.Module:
    """In float64, with every parameter moved from where it starts."""
    torch.manual_seed(7)
    model = find(name).build(8, blocks=4, esa_hidden=5, scale=2, training_form=True)
    model.double().eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.add_(0.1 * torch.rand_like(parameter))
    return model


@pytest.mark.parametrize("name", NAMES)
def test_merged_is_the_same_function(name):
    model = training(name)
    before = copy.deepcopy(model.state_dict())
    merged = model.inference_form()
    x = image(2, 3, 17, 22).double()
    expected = model(x)
    assert (merged(x) - expected).abs().max() <= 1e-11 * expected.abs().max()
    assert not any(isinstance(part, TrainingForm) for part in merged.modules())
    assert merged.inference_form() is merged
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("name", NAMES)
def test_both_forms_are_known_by_their_checkpoints(name):
    x = image(1, 3, 15, 16).double()
    model = training(name)
    for form in (model, model.inference_form()):
        network, hyperparameters = identify(form.state_dict(), name)
        assert network.name == name
        again = network.build(**hyperparameters).double().eval()
        again.load_state_dict(form.state_dict(), strict=True)
        assert torch.equal(again(x), form(x))
