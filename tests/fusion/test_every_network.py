"""Every network of the challenge, accelerated: as good as the plain module, at any size."""

import copy

import pytest
import torch
from golden import official_state
from images import image

from esr_kernels import fusion
from esr_kernels.models import find
from esr_kernels.models.catalogue import OFFICIAL
from esr_kernels.models.registry import identify

pytestmark = pytest.mark.real_costs
ENTRIES = [entry for entry in OFFICIAL.values() if not entry.options]


@pytest.fixture(scope="module", params=ENTRIES, ids=lambda entry: entry.name)
def models(request, reference_dir):
    """The module that ``load`` gives, plain and accelerated."""
    network = find(request.param.network)
    state = official_state(reference_dir, request.param, network)
    model = network.build(**identify(state, "it")[1]).double()
    model.load_state_dict(state)
    plain = model.inference_form().eval().requires_grad_(False).float()
    return plain, fusion.accelerate(copy.deepcopy(plain))


@pytest.mark.reference
@pytest.mark.parametrize("shape", [(1, 40, 47), (2, 33, 34)])
def test_accelerated_is_as_good_as_plain(models, tolerance, shape):
    plain, fast = models
    n, height, width = shape
    x = image(n, 3, height, width)
    exact = copy.deepcopy(plain).double()(x.double())
    tolerance(fast(x), plain(x), exact)


@pytest.mark.reference
def test_below_the_minimum_it_still_says_so(models):
    plain, fast = models
    with pytest.raises(ValueError, match=r"at least|empty"):
        fast(torch.zeros(1, 3, plain.min_size - 1, 40))


@pytest.mark.reference
def test_weights_and_keys_stay(models):
    plain, fast = models
    before, after = plain.state_dict(), fast.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
