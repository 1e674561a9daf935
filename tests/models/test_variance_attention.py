"""Local variances and strided separable convolutions at odd sizes, by their definitions."""

import pytest
import torch

from esr_kernels.models.architectures.msn import SeparableConv
from esr_kernels.models.blocks import Level, VarianceAttention, local_variance


def normal(*shape):
    draw = torch.Generator().manual_seed(len(shape))
    return torch.randn(*shape, generator=draw, dtype=torch.float64)


def mirror(i, length):
    """The pixel that stands at place ``i`` of a row mirrored without its end pixels."""
    return abs(i) if i < length else 2 * (length - 1) - i


@pytest.mark.parametrize("window", [5, 7])
@pytest.mark.parametrize("size", [(7, 8), (5, 9), (14, 19)])
def test_local_variance(window, size):
    height, width = size
    x = normal(2, 3, *size)
    y = local_variance(x, window)
    assert y.shape[2:] == tuple((side + 2 - window) // 3 + 1 for side in size)
    for i in range(y.shape[2]):
        for j in range(y.shape[3]):
            rows = [mirror(3 * i + d - 1, height) for d in range(window)]
            columns = [mirror(3 * j + d - 1, width) for d in range(window)]
            cell = x[:, :, rows][:, :, :, columns].flatten(2)
            spread = (cell - cell.mean(2, keepdim=True)).square().sum(2) / (window**2 - 1)
            torch.testing.assert_close(y[:, :, i, j], spread)


@pytest.mark.parametrize("size", [(3, 3), (6, 9), (7, 13), (12, 15)])
def test_stride_two_leaves_every_fourth_row_and_column(size):
    torch.manual_seed(0)
    layer = SeparableConv(4, 3, stride=2).double().requires_grad_(False)
    x = normal(2, 4, *size)
    p = layer.pw(x)
    y = layer(x)
    height, half_width = size[0], (size[1] + 1) // 2
    down, across = layer.dw1.weight[:, 0, :, 0], layer.dw2.weight[:, 0, 0]
    assert y.shape[2:] == tuple(-(-side // 4) for side in size)
    for i in range(y.shape[2]):
        for j in range(y.shape[3]):
            # dw1 leaves every second row and column; among those dw2 reads every second again.
            columns = [2 * mirror(2 * j + d, half_width) for d in (-1, 0, 1)]
            rows = [mirror(2 * mirror(2 * i, height) + d, height) for d in (-1, 0, 1)]
            taps = torch.einsum("nckl,ck->ncl", p[:, :, rows][:, :, :, columns], down)
            taps = taps + layer.dw1.bias[:, None]
            expected = torch.einsum("ncl,cl->nc", taps, across) + layer.dw2.bias
            torch.testing.assert_close(y[:, :, i, j], expected)


def test_a_level_pools_its_own_convolution_and_adds_the_other_ones_variance():
    def separable(inputs, outputs, stride=1):
        return torch.nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)

    torch.manual_seed(0)
    levels = (Level(1, 5, 1, variance=4), Level(2, 7, 0))
    attention = VarianceAttention(6, 2, separable, levels).double().requires_grad_(False)
    names = {name.partition(".")[0] for name in attention.state_dict()}
    assert {"conv2_1", "conv2_2", "conv2_4", "conv3_1", "conv_max_2"} <= names
    assert not {"conv2_0", "conv2_3", "conv3_4"} & names
    u = normal(1, 6, 33, 29)
    a = attention.conv1(u)
    total = attention.conv_f(a)
    for k, window, padding in ((1, 5, 1), (2, 7, 0)):
        b = torch.max_pool2d(getattr(attention, f"conv2_{k}")(a), window, 3, padding)
        if k == 1:
            b = b + local_variance(attention.conv2_4(a), 5)
        b = torch.nn.functional.gelu(getattr(attention, f"conv_max_{k}")(b))
        b = getattr(attention, f"conv3_{k}")(b)
        total = total + torch.nn.functional.interpolate(b, size=(33, 29), mode="bilinear")
    assert torch.equal(attention(u), u * torch.sigmoid(attention.conv4(total)))
