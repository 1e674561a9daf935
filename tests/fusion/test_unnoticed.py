"""Edits that leave no trace in a tensor's version: each is noticed at the next call."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from fast import check, is_fast, span
from images import image
from torch import nn

from esr_kernels import fusion
from esr_kernels.fusion import checksum as checksums
from esr_kernels.fusion.checksum import checksum, pieces


@pytest.fixture(autouse=True)
def no_grad():
    with torch.no_grad():
        yield


class Block(nn.Module):
    """Reads plain attributes of every kind."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head, self.tail = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)
        self.body = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())
        self.slope, self.scales, self.tile = 0.1, [1.0, 2.0], 4

    def forward(self, x):
        y = F.leaky_relu(self.head(x), self.slope)
        return self.tail(self.body(y) * self.scales[1]) + self.tile


def block() -> nn.Module:
    return Block().eval()


def double(conv: nn.Conv2d) -> nn.Conv2d:
    twin = copy.deepcopy(conv)
    twin.weight.mul_(2)
    return twin


class Twice(nn.Conv2d):
    def forward(self, x):
        return 2 * super().forward(x)


def one_value_through_data(m):
    m.head.weight.data[5, 1, 2, 2] += 3


def one_value_through_numpy(m):
    m.tail.weight.detach().numpy()[0, 0, 0, 0] -= 1


def values_that_change_places(m):
    m.head.weight.data.copy_(m.head.weight.data.flip(0))


def a_slope(m):
    m.slope = 0.7


def a_number_in_a_list(m):
    m.scales[1] = -1.0


def a_padding_mode(m):
    m.head.padding_mode = "reflect"
    m.head._reversed_padding_repeated_twice = [1, 1, 1, 1]


def an_attribute_of_another_kind(m):
    m.tile = True


def an_appended_module(m):
    m.body.append(nn.Conv2d(8, 8, 1))


def a_replaced_module(m):
    m.body[0] = double(m.body[0])


def a_childs_forward(m):
    inner = m.tail.forward
    m.tail.forward = lambda x: 2 * inner(x)


def a_childs_class(m):
    m.tail.__class__ = Twice


def a_deleted_module(m):
    del m.body[1]


EDITS = (
    one_value_through_data,
    one_value_through_numpy,
    values_that_change_places,
    a_slope,
    a_number_in_a_list,
    a_padding_mode,
    an_attribute_of_another_kind,
    an_appended_module,
    a_replaced_module,
    a_childs_forward,
    a_childs_class,
    a_deleted_module,
)


@pytest.mark.parametrize("edit", EDITS, ids=lambda f: f.__name__)
def test_every_edit_is_noticed(edit, tolerance):
    model, x = fusion.accelerate(block()), image(1, 3, 20, 23)
    before = model(x)
    edit(model)
    plain = block()
    edit(plain)
    assert is_fast(model, x), fusion.explain(model)
    assert not torch.equal(plain(x), before)
    tolerance(model(x), plain(x), plain.double()(x.double()))


def test_a_class_whose_forward_is_replaced(monkeypatch, tolerance):
    model, x = fusion.accelerate(block()), image(1, 3, 20, 23)
    before = model(x)
    monkeypatch.setattr(Block, "forward", lambda self, x: self.tail(self.head(x)))
    check(model, x, tolerance)
    assert not torch.allclose(model(x), before)


def test_what_did_not_change_is_not_planned_again():
    model, x = fusion.accelerate(block()), image(1, 3, 20, 23)
    plan = vars(model)["forward"].plans.first
    model(x)
    model.slope = 0.2 / 2  # equal, but another object
    model.eval().requires_grad_(False)
    model(x)
    assert vars(model)["forward"].plans.first is plan


@pytest.mark.parametrize("compiled", [True, False])
def test_the_checksum_sees_every_value(compiled, monkeypatch):
    if compiled and checksums._C is None:
        pytest.skip("no compiled module")
    monkeypatch.setattr(checksums, "_C", checksums._C if compiled else None)
    torch.manual_seed(0)
    tensors = [torch.rand(7, 11), torch.rand(3, 400).half(), torch.rand(300, 5).t(), torch.ones(())]
    memory = pieces(tensors)
    seen = {str(checksum(tensors, memory))}
    for tensor in tensors:
        flat = tensor.view(-1) if tensor.is_contiguous() else tensor.t().view(-1)
        for i in range(0, flat.numel(), 7):
            flat[i] += 1
            seen.add(str(checksum(tensors, memory)))
    edits = sum(len(range(0, t.numel(), 7)) for t in tensors)
    assert len(seen) == 1 + edits


def test_no_holes_are_read():
    wide = torch.zeros(4, 6)
    tensors = [wide[:, :3], wide[1:3, 1:2], wide.t()]
    for (address, size), tensor in zip(pieces(tensors), tensors, strict=True):
        storage = tensor.untyped_storage()
        assert storage.data_ptr() <= address
        assert address + size <= storage.data_ptr() + storage.nbytes()


def test_hooks_on_all_modules_run_as_they_would():
    model, x, seen = fusion.accelerate(block()), image(1, 3, 20, 23), []
    handle = nn.modules.module.register_module_forward_hook(lambda m, *_: seen.append(type(m)))
    try:
        model(x)
        assert seen.count(nn.Conv2d) == 3
        assert len(seen) == 6
        late = fusion.accelerate(block())
        assert "hooks on all modules" in fusion.explain(late).title
        assert len(seen) == 6  # looking at a model calls nobody
    finally:
        handle.remove()
    assert is_fast(model, x) and is_fast(late, x) and len(seen) == 6


def test_a_network_of_the_package_is_noticed_too(tolerance):
    model, x = fusion.accelerate(span()), image(1, 3, 16, 17)
    model(x)
    model.block_3.c2_r.eval_conv.weight.data[1, 2, 0, 1] += 1
    check(model, x, tolerance)
