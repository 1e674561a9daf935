"""Attributes that a forward sets are there after an accelerated call too, and no state is lost."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from fast import check, is_fast
from images import image
from torch import nn

from esr_kernels import fusion


@pytest.fixture(autouse=True)
def no_grad():
    with torch.no_grad():
        yield


class Child(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)
        self.features, self.size, self.note = None, None, "nothing"

    def forward(self, x):
        self.size = (x.shape[2], x.shape[3])
        self.features = F.relu(self.conv(x))
        self.note = "called"
        return self.features * self.size[0]


class Root(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head, self.tail = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)
        self.child = Child()

    def forward(self, x):
        self.h, self.w = x.shape[-2:]
        y = self.child(self.head(x))
        return self.tail(y)[:, :, : self.h, : self.w]


def root() -> nn.Module:
    return Root().eval()


def test_they_are_set_as_the_code_does(tolerance):
    model, fast, exact = root(), fusion.accelerate(root()), root().double()
    plan = vars(fast)["forward"].plans.first
    assert fusion.explain(fast).title.startswith("accelerated"), fusion.explain(fast)
    for shape in ((1, 3, 20, 23), (2, 3, 9, 8), (1, 3, 20, 23)):
        x = image(*shape)
        assert is_fast(fast, x)
        tolerance(fast(x), model(x), exact(x.double()))
        assert (fast.h, fast.w) == (model.h, model.w) == shape[2:]
        assert fast.child.size == model.child.size and fast.child.note == "called"
        tolerance(fast.child.features, model.child.features, exact.child.features)
    assert vars(fast)["forward"].plans.first is plan


def test_other_edits_of_the_same_module_are_noticed(tolerance):
    model, x = fusion.accelerate(root()), image(1, 3, 20, 23)
    model(x)
    model.child.conv.weight.data[0, 0, 0, 0] += 2
    check(model, x, tolerance)
    model.child.conv = nn.Conv2d(8, 8, 1)
    check(model, x, tolerance)


class Counting(Root):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x) * self.calls


class Remembering(Root):
    last = None

    def forward(self, x):
        y = super().forward(x)
        y = y if self.last is None else y + self.last
        self.last = y.mean()
        return y


class FirstOnly(Root):
    scale = None

    def forward(self, x):
        if self.scale is None:
            self.scale = x.mean()
        return super().forward(x) * self.scale


@pytest.mark.parametrize("kind", [Counting, Remembering, FirstOnly])
def test_a_state_keeps_its_own_forward(kind):
    model, fast = kind().eval(), fusion.accelerate(copy.deepcopy(kind().eval()))
    for seed in range(3):
        x = image(1, 3, 20, 23, seed)
        torch.testing.assert_close(fast(x), model(x), rtol=1e-4, atol=1e-5)
    assert "attribute" in fusion.explain(fast).title
