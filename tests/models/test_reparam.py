"""Training forms equal their merged form: at the borders, in every gradient, under their names."""

import copy

import pytest
import torch
import torch.nn.functional as F
from images import image
from torch import nn
from torch.func import functional_call

from esr_kernels.models.reparam import (
    ECB,
    RRRB,
    CollapsibleConv,
    Conv3XC,
    ParallelConv3x3,
    RepBlock,
    TrainingForm,
    merge_all,
    merged_parameters,
)

FORMS = {
    "conv3xc": lambda: Conv3XC(3, 5),
    "conv3xc-square": lambda: Conv3XC(3, 3, gain=1),
    "ecb": lambda: ECB(3),
    "repblock": lambda: RepBlock(3),
    "rrrb": lambda: RRRB(3),
    "rrrb-no-bias": lambda: RRRB(3, bias=False),
    "collapsible": lambda: CollapsibleConv(3, 5, hidden=16),
    "collapsible-1x1": lambda: CollapsibleConv(3, 5, hidden=7, kernel=1, bias=False),
    "parallel": lambda: ParallelConv3x3(3, 5),
}


def randomised(module: nn.Module) -> nn.Module:
    """In float64, with nothing left at zero or one that training would move."""
    draw = torch.Generator().manual_seed(7)
    for parameter in module.double().parameters():
        with torch.no_grad():
            parameter.normal_(generator=draw)
    return module


@pytest.fixture(params=FORMS.values(), ids=FORMS.keys())
def form(request) -> TrainingForm:
    return randomised(request.param())


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 5)])
def test_slim_form_is_exact_at_the_borders_too(form, size):
    x = image(2, 3, *size).double()
    expected = form(x)
    assert (form.slim()(x) - expected).abs().max() <= 1e-12 * max(1, expected.abs().max())


def test_merged_parameters_give_the_function_and_all_gradients(form):
    network = nn.Sequential(nn.Conv2d(2, 3, 3).double(), form, nn.SiLU())
    slim = merge_all(copy.deepcopy(network))
    merged = merged_parameters(network)
    assert merged.keys() == dict(slim.named_parameters()).keys()
    x = image(1, 2, 6, 5).double()
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    expected, result = network(x), functional_call(slim, merged, (x,))
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-12 * expected.abs().max().item())
    wanted = torch.autograd.grad(expected.square().sum(), trained)
    gradients = torch.autograd.grad(result.square().sum(), trained)
    for gradient, want in zip(gradients, wanted, strict=True):
        # Not relative alone: edge filters sum to zero, and so does the gradient of their b0.
        assert (gradient - want).abs().max() <= 1e-12 * max(1, want.abs().max())


def test_dtypes(form):
    single = form.float()
    assert {value.dtype for value in merged_parameters(single).values()} == {torch.float32}
    exact, slim = single.merge(), single.slim()
    assert exact.weight.dtype == torch.float64
    assert torch.equal(next(slim.parameters()), exact.weight.float())


def test_slim_form_keeps_mode_and_random_state(form):
    before = torch.get_rng_state()
    assert form.train().slim().training and not form.eval().slim().training
    assert torch.equal(torch.get_rng_state(), before)
    assert all(parameter.requires_grad for parameter in form.slim().parameters())
    assert not any(p.requires_grad for p in form.requires_grad_(False).slim().parameters())


def test_symbolic_trace_gives_the_same(form):
    x = image(1, 3, 4, 5).double()
    assert torch.equal(torch.fx.symbolic_trace(form)(x), form(x))


def test_a_form_in_two_places_is_merged_once():
    shared = RRRB(3)
    network = nn.ModuleDict({"a": nn.Sequential(shared), "b": shared, "c": RRRB(3)})
    assert merge_all(network) is network
    assert network["a"][0] is network["b"] and network["b"] is not network["c"]
    assert not any(isinstance(module, TrainingForm) for module in network.modules())
    assert isinstance(merge_all(shared), nn.Conv2d)


def test_published_names():
    filters = ("k0", "b0", "scale", "bias", "mask")
    ecb = {"conv3x3.weight", "conv3x3.bias"}
    ecb |= {f"conv1x1_3x3.{name}" for name in ("k0", "b0", "k1", "b1")}
    ecb |= {f"conv1x1_{edge}.{name}" for edge in ("sbx", "sby", "lpl") for name in filters}
    assert ECB(4).state_dict().keys() == ecb
    assert ECB(4).state_dict()["conv1x1_lpl.mask"].shape == (4, 1, 3, 3)
    assert ECB(4).slim().state_dict().keys() == {"weight", "bias"}
    block = {"rbr_3x3_branch.weight", "rbr_3x3_branch.bias"}
    block |= {f"rbr_1x1_3x3_branch_{half}.weight" for half in ("1x1", "3x3")}
    block |= {
        f"rbr_conv1x1_{edge}_branch.{name}" for edge in ("sbx", "sby", "lpl") for name in filters
    }
    assert RepBlock(4).state_dict().keys() == block
    assert RepBlock(4).slim().state_dict().keys() == {"rbr_reparam.weight", "rbr_reparam.bias"}


def test_ecb_as_it_is_written():
    """Each 1x1 on the picture, then a ring of its bias: not the 1x1 on a padded picture."""
    block = randomised(ECB(3))
    x = image(2, 3, 4, 5).double()

    def ringed(branch):
        inner = F.conv2d(x, branch.k0, branch.b0)
        ring = branch.b0[:, None, None].expand(2, -1, 6, 7).clone()
        ring[..., 1:-1, 1:-1] = inner
        return ring

    pair = block.conv1x1_3x3
    expected = x + F.conv2d(x, block.conv3x3.weight, block.conv3x3.bias, padding=1)
    expected = expected + F.conv2d(ringed(pair), pair.k1, pair.b1)
    masks = {
        "sbx": [[1, 0, -1], [2, 0, -2], [1, 0, -1]],
        "sby": [[1, 2, 1], [0, 0, 0], [-1, -2, -1]],
        "lpl": [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
    }
    for name, mask in masks.items():
        edge = block.get_submodule(f"conv1x1_{name}")
        kernel = edge.scale * torch.tensor(mask).double()
        expected = expected + F.conv2d(ringed(edge), kernel, edge.bias, groups=3)
    assert (block(x) - expected).abs().max() <= 1e-12 * expected.abs().max()


def test_conv3xc_refreshes_the_merged_copy_that_its_checkpoints_carry():
    block = randomised(Conv3XC(3, 5))
    state = block.state_dict()
    assert torch.equal(state["eval_conv.weight"], block.merge().weight)
    assert torch.equal(state["eval_conv.bias"], block.merge().bias)
    assert "eval_conv.weight" in merged_parameters(block)
