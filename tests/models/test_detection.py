"""Which network a checkpoint belongs to: every official file, whole and damaged."""

import re

import pytest
import torch
from golden import official_state

from esr_kernels.models import find, load
from esr_kernels.models.catalogue import OFFICIAL
from esr_kernels.models.registry import identify

ENTRIES = list(OFFICIAL.values())


@pytest.fixture(scope="module", params=ENTRIES, ids=lambda entry: entry.name)
def case(request, reference_dir):
    """An entry, its network, and its checkpoint as tensors without storage."""
    network = find(request.param.network)
    state = official_state(reference_dir, request.param, network)
    return request.param, network, {key: value.to("meta") for key, value in state.items()}


def some(keys) -> list[str]:
    """A dozen keys, evenly spread over the checkpoint, the first and the last among them."""
    keys = list(keys)
    return [keys[i * (len(keys) - 1) // 11] for i in range(12)]


@pytest.mark.reference
class TestOfficialFile:
    def test_it_is_told_from_keys_and_shapes(self, case):
        _, network, state = case
        found, hyperparameters = identify(state, "it")
        assert found is network
        expected = network.expected(hyperparameters)
        assert {key: value.shape for key, value in expected.items()} == {
            key: value.shape for key, value in state.items()
        }
        model = network.build(**hyperparameters)
        assert (model.scale, model.in_channels, model.out_channels) == (4, 3, 3)

    def test_a_missing_key_is_named(self, case):
        _, network, state = case
        for key in some(state):
            with pytest.raises(ValueError, match=rf"\({network.name}\).*{re.escape(key)}"):
                identify({name: value for name, value in state.items() if name != key}, "it")

    def test_a_renamed_key_is_named(self, case):
        _, network, state = case
        for key in some(state):
            renamed = {f"odd.{key}" if name == key else name: v for name, v in state.items()}
            with pytest.raises(ValueError, match=rf"\({network.name}\).*odd\.{re.escape(key)}"):
                identify(renamed, "it")

    def test_a_wrong_shape_is_named(self, case):
        _, network, state = case
        for key in some(state):
            grown = torch.empty(*(n + 1 for n in state[key].shape), 2, device="meta")
            with pytest.raises(ValueError, match=rf"\({network.name}\).*{re.escape(key)} \("):
                identify(state | {key: grown}, "it")


@pytest.mark.reference
@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("wrapper", ["params_ema", "state_dict", None])
def test_wrapped_official_weights_give_the_same_network(reference_dir, wrapper, prefix):
    entry = OFFICIAL["span-26"]
    state = official_state(reference_dir, entry, find("span"))
    wrapped = {prefix + key: value for key, value in state.items()}
    model = load({wrapper: wrapped, "epoch": 3} if wrapper else wrapped)
    assert torch.equal(model.conv_cat.weight, state["conv_cat.weight"])
