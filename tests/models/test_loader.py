"""``load``: names, arguments, and what kind of module comes back."""

import pytest
import torch

from esr_kernels.models import RLFN, SPAN, find, list_models, load
from esr_kernels.models.architectures.craft import CRAFT


def test_the_module_is_ready_for_inference():
    model = load(RLFN(8, mid=6, blocks=1).half().state_dict())
    assert isinstance(model, RLFN) and not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert (model.name, model.scale, model.in_channels, model.data_range) == ("rlfn", 4, 3, 255.0)


def test_dtype_and_random_state():
    state = SPAN(4).state_dict()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    model = load(state, device="cpu", dtype=torch.bfloat16)
    assert torch.equal(torch.rand(3), expected), "load moved the caller's random state"
    assert {tensor.dtype for tensor in (*model.parameters(), model.mean)} == {torch.bfloat16}


def test_the_callers_state_dict_is_not_shared():
    state = SPAN(4).state_dict()
    model = load(state)
    before = model.conv_cat.bias.clone()
    state["conv_cat.bias"].add_(1)
    assert torch.equal(model.conv_cat.bias, before)


def test_a_name_with_other_weights(tmp_path):
    torch.save({"params": SPAN(8, scale=2).state_dict()}, tmp_path / "mine.pth")
    model = load("span", weights=tmp_path / "mine.pth")
    assert (model.scale, model.conv_cat.out_channels) == (2, 8)


def test_the_options_of_a_name_are_no_part_of_its_weights():
    state = CRAFT(12, groups=1, blocks=1).state_dict()
    assert load("craft-255", weights=state).data_range == 255
    assert load("craft", weights=state).data_range == 1
    assert load(state).data_range == 1


def test_unknown_names_and_wrong_arguments():
    with pytest.raises(FileNotFoundError, match=r"'spam' is neither .*\(span, span-26, rlfn, "):
        load("spam")
    with pytest.raises(FileNotFoundError, match=r"gone\.pth"):
        load("span", weights="gone.pth")
    with pytest.raises(ValueError, match="goes with the name of a network"):
        load("a.pth", weights="b.pth")
    with pytest.raises(TypeError, match="not int"):
        load(3)
    with pytest.raises(TypeError, match=r"not torch\.int8"):
        load("span", dtype=torch.int8)


@pytest.mark.parametrize("device", ["cuda:99", "xpu", "nonsense"])
def test_a_device_that_is_not_there(device):
    with pytest.raises(ValueError, match=f"device '{device}' is not available on this machine"):
        load(SPAN(4).state_dict(), device=device)


def test_list_models_and_find():
    models = {model.name: model for model in list_models()}
    assert list(models)[:3] == ["span", "span-26", "rlfn"]
    assert (models["span"].team, models["span-26"].team, models["rlfn"].team) == (38, 39, 0)
    for model in models.values():
        assert find(model.network).title in str(model)
        assert model.url.startswith("https://") or model.name in ("magicsr", "rrdbnet")
    with pytest.raises(ValueError, match="known: span, rlfn, "):
        find("swinir")
