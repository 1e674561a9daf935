"""Every network of the challenge, against the facts and golden pictures of the official release."""

import copy

import pytest
import torch
from golden import golden, limit, official_state
from images import image

from esr_kernels.models import find
from esr_kernels.models.catalogue import OFFICIAL
from esr_kernels.models.registry import identify


def build(entry, reference_dir):
    """The plain module with official weights, loaded strictly, in evaluation mode."""
    network = find(entry.network)
    state = official_state(reference_dir, entry, network)
    found, hyperparameters = identify(state, entry.name)
    assert found is network
    model = network.build(**hyperparameters, **entry.options)
    model.load_state_dict(state, strict=True)
    return model.eval().requires_grad_(False)


def picture(model, n: int = 1):
    """A float64 batch of an odd size, small for the one network that is a hundred times larger."""
    return image(n, 3, *((17, 19) if model.name == "rrdbnet" else (41, 43))).double()


@pytest.fixture(scope="module", params=OFFICIAL.values(), ids=lambda entry: entry.name)
def case(request, reference_dir):
    return request.param, build(request.param, reference_dir)


@pytest.mark.reference
class TestEntry:
    def test_parameters(self, case):
        entry, model = case
        assert sum(p.numel() for p in model.parameters()) == entry.parameters

    def test_golden_output(self, case, reference_dir):
        entry, model = case
        if "pruned" in entry.name:
            pytest.skip("the reference folder has no golden picture of the pruned file")
        facts, x, expected = golden(reference_dir, entry.team, model.data_range)
        assert (model(x) - expected).abs().max() <= limit(facts)

    def test_float64_does_not_depend_on_threads(self, case):
        _, model = case
        exact = copy.deepcopy(model).double()
        x = picture(model)
        threads = torch.get_num_threads()
        try:
            torch.set_num_threads(1)
            one = exact(x)
            torch.set_num_threads(2)
            two = exact(x)
        finally:
            torch.set_num_threads(threads)
        assert (one - two).abs().max() <= 1e-9

    @pytest.mark.parametrize("extra", [(0, 0), (0, 1), (2, 3)])
    def test_sizes_from_the_minimum_up(self, case, extra):
        _, model = case
        height, width = (model.min_size + more for more in extra)
        y = model(image(1, 3, height, width))
        assert y.shape == (1, 3, 4 * height, 4 * width)
        assert y.isfinite().all()

    def test_below_the_minimum_the_error_names_it(self, case):
        _, model = case
        least = model.min_size
        for size in ((least - 1, least), (least, least - 1)):
            says = "empty" if least == 1 else f"at least {least} x {least}"
            with pytest.raises(ValueError, match=says):
                model(torch.zeros(1, 3, *size))

    def test_batch_of_two_is_one_twice(self, case):
        _, model = case
        exact = copy.deepcopy(model).double()
        x = picture(model, 2)
        apart = torch.cat([exact(x[:1]), exact(x[1:])])
        assert (exact(x) - apart).abs().max() <= 1e-9
        assert (exact(x[:1]) - exact(x[1:])).abs().max() > 1e-3

    def test_memory_format(self, case, tolerance):
        _, model = case
        exact = copy.deepcopy(model).double()(picture(model))
        x = picture(model).float()
        plain = model(x)
        tolerance(model(x.contiguous(memory_format=torch.channels_last)), plain, exact)
