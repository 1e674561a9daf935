"""Fused graphs with depthwise convolutions as programs."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from test_compile import PICTURES, Network, check
from torch import nn


@pytest.fixture(autouse=True)
def no_grad():
    with torch.no_grad():
        yield


def depthwise(channels: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, padding=1, groups=channels)


def test_a_network_of_separable_convolutions_is_one_program(tolerance):
    def forward(m, x):
        y = u = F.gelu(m.dw(m.c[0](x)))
        for _ in range(6):
            y = F.gelu(m.dw(m.c[1](y))) + u
        return F.pixel_shuffle(m.c[2](y), 2)

    model = Network(forward, (3, 8, 1), (8, 8, 1), (8, 12))
    model.dw = depthwise(8)
    channels_last = PICTURES[1].contiguous(memory_format=torch.channels_last)
    assert check(model, tolerance, *PICTURES, channels_last) == {"cpu"}


@pytest.mark.parametrize("threads", [1, 2])
def test_large_kernels_between_convolutions_are_one_program(tolerance, threads):
    def forward(m, x):
        y = u = m.c[0](x)
        for conv in m.filters:
            y = F.gelu(conv(y)) + u
        return m.c[1](y)

    model = Network(forward, (3, 6), (6, 3))
    shapes = ((5, 1), (7, 3), ((1, 11), 1), ((11, 1), 1), (17, 1))
    model.filters = nn.ModuleList(
        nn.Conv2d(6, 6, kernel, padding="same", dilation=dilation, groups=6)
        for kernel, dilation in shapes
    )
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        tall = torch.rand(1, 3, 201, 9)
        assert check(model, tolerance, *PICTURES, tall) == {"cpu"}
    finally:
        torch.set_num_threads(before)


def test_other_convolutions_in_one_program(tolerance):
    def forward(m, x):
        y = m.c[0](x)
        for conv in m.others:
            y = F.silu(conv(torch.cat([y, y.tanh()], 1))) + y
        return m.c[1](y)

    model = Network(forward, (3, 6), (6, 3))
    shapes = ((5, 1, 1), (7, 1, 2), ((1, 5), 1, 1), (3, 2, 1), (3, 5, 3), ((9, 1), 1, 1), (1, 1, 2))
    model.others = nn.ModuleList(
        nn.Conv2d(12, 6, kernel, padding="same", dilation=dilation, groups=groups)
        for kernel, dilation, groups in shapes
    )
    assert check(model, tolerance, *PICTURES, torch.rand(1, 3, 50, 9)) == {"cpu"}


def test_a_small_kernel_by_itself_is_a_program(tolerance):
    model = Network(lambda m, x: m.dw(x) * 2)
    model.dw = depthwise(3)
    assert check(model, tolerance, *PICTURES) == {"cpu"}


def test_a_large_kernel_by_itself_is_left_to_torch(tolerance):
    model = Network(lambda m, x: m.dw(x) * 2)
    model.dw = nn.Conv2d(3, 3, 7, padding=3, groups=3)
    assert check(model, tolerance, *PICTURES) == {"reference"}


def depthwise_and_1x1(*, tensors: int) -> nn.Module:
    """A 1x1 convolution of a depthwise one's result and of so many tensors made by torch."""
    functions = (torch.cos, torch.sin, torch.erf, torch.atan)[:tensors]

    def forward(m, x):
        return m.c[0](torch.cat([m.dw(x), *(f(x) for f in functions)], 1))

    model = Network(forward, (3 + 3 * tensors, 4, 1))
    model.dw = depthwise(3)
    return model


@pytest.mark.real_costs
def test_a_depthwise_convolution_does_not_repay_its_border(tolerance):
    for tensors in (2, 4):
        assert check(depthwise_and_1x1(tensors=tensors), tolerance, *PICTURES) == {"reference"}
