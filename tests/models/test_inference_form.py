"""Networks that are folded as they are loaded: the same function, and loadable again."""

import pytest
import torch
from images import image
from torch import nn

from esr_kernels.models import find, load

FOLDED = ("lkfn", "quicksrnet", "rlfn-b", "dirn")


def used(name: str) -> nn.Module:
    """The plain network in float64, its batch norms with statistics as after training."""
    torch.manual_seed(5)
    model = find(name).build().double().eval().requires_grad_(False)
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            for value in (part.weight, part.bias, part.running_mean, part.running_var):
                value.uniform_(0.1, 2)
    return model


@pytest.mark.parametrize("name", FOLDED)
def test_loaded_is_the_same_function(name):
    model = used(name)
    loaded = load(model.state_dict(), dtype=torch.float64)
    x = image(2, 3, model.min_size + 6, model.min_size + 4).double()
    expected = model(x)
    assert (loaded(x) - expected).abs().max() <= 1e-10 * max(1, expected.abs().max())
    assert sum(p.numel() for p in loaded.parameters()) < sum(p.numel() for p in model.parameters())
    assert not any(isinstance(part, nn.BatchNorm2d) for part in loaded.modules())
    again = load(loaded.state_dict(), dtype=torch.float64)
    assert again.state_dict().keys() == loaded.state_dict().keys()
    assert torch.equal(again(x), loaded(x))


@pytest.mark.parametrize("name", FOLDED)
def test_folding_is_done_once_in_float64_on_a_copy(name):
    model = used(name)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    exact = model.inference_form().state_dict()
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    for key, value in load(before).state_dict().items():
        assert torch.equal(value, exact[key].float())
