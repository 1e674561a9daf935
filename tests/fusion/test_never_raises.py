"""``accelerate`` never raises for a module: what goes wrong in following it is a reason."""

from __future__ import annotations

import math

import pytest
import torch
from images import image
from torch import nn

import esr_kernels


def network() -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 8, 3, padding=1), nn.SiLU(), nn.Conv2d(8, 3, 3, padding=1)
    return nn.Sequential(*layers).eval().requires_grad_(False)


class Around(nn.Module):
    """A convolution before and after another module."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.before, self.inner, self.after = network(), inner, network()

    def forward(self, x):
        return self.after(self.inner(self.before(x)))


MAKERS = {
    "scripted": lambda: torch.jit.script(network()),
    "traced": lambda: torch.jit.trace(network(), torch.rand(1, 3, 16, 16)),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_script_module_stays_as_it_is(make):
    model, x = make(), image(1, 3, 20, 23)
    expected = model(x)
    assert esr_kernels.accelerate(model) is model
    assert torch.equal(model(x), expected)
    assert "ScriptModule" in str(esr_kernels.explain(model))
    assert esr_kernels.restore(model) is model


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_what_is_around_a_script_module_is_fast(make, tolerance):
    model, x = Around(make()).eval().requires_grad_(False), image(1, 3, 24, 31)
    plain = model(x)
    exact = Around(network().double()).double().eval()
    exact.load_state_dict({k: v.double() for k, v in model.state_dict().items()})
    fast = esr_kernels.accelerate(model)
    lines = {line.path: line for line in esr_kernels.explain(fast).lines}
    assert lines["inner"].what == "as it is" and lines["inner"].detail == "it is a ScriptModule"
    assert lines["before.2"].what == "conv_act"
    tolerance(fast(x), plain, exact(x.double()))


def test_a_fault_in_following_is_a_reason_and_a_line_in_the_log(monkeypatch, caplog):
    def faulty(*args):
        raise IndexError("out of bounds\nand more")

    monkeypatch.setattr("esr_kernels.fusion.fuse.normalise", faulty)
    model, x = network(), image(1, 3, 20, 23)
    expected = model(x)
    assert torch.equal(esr_kernels.accelerate(model)(x), expected)
    title = "not accelerated as a whole: IndexError: out of bounds"
    assert str(esr_kernels.explain(model)).startswith(title)
    assert "Sequential is not followed: IndexError: out of bounds" in caplog.text


def test_a_lazy_module_runs_and_can_be_accelerated_then():
    model, x = nn.Sequential(nn.LazyConv2d(8, 3, padding=1), nn.SiLU()).eval(), image(1, 3, 20, 23)
    esr_kernels.accelerate(model)
    assert "lazy" in str(esr_kernels.explain(model))
    with torch.no_grad():
        expected = model(x)
        esr_kernels.accelerate(model)
        torch.testing.assert_close(model(x), expected)
    assert str(esr_kernels.explain(model)).startswith("accelerated")


#: How many numbers the products had that a ``Gate`` computed.
PRODUCTS: list[int] = []


class Gate(nn.Module):
    """Weighs channels by a vector. A picture of 64x64 pixels in the vector's place would multiply
    the sizes of both, as if for 64 ** 5 numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(64, 64, 1)

    def forward(self, x, weights):
        x, weights = self.conv(x), weights.unsqueeze(-1).unsqueeze(-1)
        if x.device.type != "meta":
            PRODUCTS.append(math.prod(torch.broadcast_shapes(x.shape, weights.shape)))
            assert PRODUCTS[-1] <= 2**26, "too large to be made"
        return x * weights


def test_pictures_that_are_tried_out_do_not_fill_the_memory():
    torch.manual_seed(0)
    gate = Gate().eval().requires_grad_(False)
    PRODUCTS.clear()
    esr_kernels.accelerate(gate)
    x, weights = image(1, 64, 9, 7), torch.rand(1, 64)
    torch.testing.assert_close(gate(x, weights), gate.conv(x) * weights[:, :, None, None])
    assert max(PRODUCTS) <= 2**26
