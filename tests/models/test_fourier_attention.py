"""Fourier attention against its formula, written as sums over frequencies."""

import math

import pytest
import torch
from images import image
from torch import Tensor

from esr_kernels.models.blocks import FourierAttention


def seeded(channels: int = 4) -> FourierAttention:
    torch.manual_seed(5)
    return FourierAttention(channels, 3).double().requires_grad_(False)


def waves(length: int) -> Tensor:
    """``exp(2 pi i m n / length)`` for all m, n."""
    m = torch.arange(length, dtype=torch.float64)
    return torch.polar(torch.ones(()).double(), 2 * math.pi * m[:, None] * m / length)


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (7, 6), (6, 7), (5, 9), (8, 8)])
def test_the_inverse_ignores_imaginary_parts_that_no_real_map_has(size):
    block, (height, width) = seeded(), size
    u = image(2, 4, height, width).double()
    half = width // 2 + 1
    rows, columns = waves(height), waves(width)[:, :half]
    z = rows.conj() @ u.to(torch.complex128) @ columns.conj() / math.sqrt(height * width)

    def mixed(v: Tensor) -> Tensor:
        hidden = torch.nn.functional.leaky_relu(block.conv_layer1(v), 0.2)
        hidden = torch.nn.functional.leaky_relu(block.conv_layer2(hidden), 0.2)
        return v + block.conv_layer3(hidden)

    z = torch.complex(mixed(z.real), mixed(z.imag))
    # Each frequency stands for its mirror image too, but for the first and, of even widths, the
    # middle one.
    times = torch.full((half,), 2.0).double()
    times[0] = 1
    if width % 2 == 0:
        times[-1] = 1
    attention = ((rows @ z * times) @ columns.T).real / math.sqrt(height * width)
    torch.testing.assert_close(block(u), u * attention, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_transformed_in_float32(dtype):
    block, u = seeded(), image(1, 4, 9, 14).to(dtype)
    for parameter in block.parameters():
        parameter.copy_(parameter.to(dtype))
    exact = block(u.double())
    result = block.to(dtype)(u)
    assert result.dtype == dtype
    limit = 8 * torch.finfo(dtype).eps
    assert (result.double() - exact).abs().max() <= limit * exact.abs().max()
