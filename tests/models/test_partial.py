"""Partial convolution: what is convolved, what passes, and that nothing is overwritten."""

import pytest
import torch
import torch.nn.functional as F

from esr_kernels.models.blocks import conv3x3, partial_conv


@pytest.mark.parametrize(("inputs", "outputs"), [(3, 3), (7, 3), (2, 5), (7, 7)])
def test_only_the_first_channels_change(inputs, outputs):
    torch.manual_seed(3)
    conv = conv3x3(inputs, outputs).double().requires_grad_(False)
    x = torch.randn(2, 7, 5, 6, dtype=torch.float64)
    before = x.clone()
    y = partial_conv(x, conv, F.silu)
    assert torch.equal(y[:, :outputs], F.silu(conv(x[:, :inputs])))
    assert torch.equal(y[:, outputs:], x[:, outputs:])
    assert torch.equal(x, before)
