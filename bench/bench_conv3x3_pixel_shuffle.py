"""``conv3x3_pixel_shuffle``: the tail of a x4 network with its convolution."""

import pytest
import torch

from esr_kernels.benchmark.problem import op_problem, weights_of
from esr_kernels.benchmark.torch_ways import TORCH_WAYS
from esr_kernels.ops.conv3x3_pixel_shuffle import reference
from tests.images import image


@pytest.mark.parametrize("channels", [28, 46])
def test_conv3x3_pixel_shuffle(contest, channels):
    def bind(function):
        return lambda xs, *weights: function(xs[0], *weights, 4, None)

    weights = weights_of((48, channels, 3))
    functions = reference, torch.ops.esr_kernels.conv3x3_pixel_shuffle.default
    inputs = (image(1, channels, 256, 256),)
    name = f"{channels} channels 256x256"
    contest("conv3x3_pixel_shuffle", op_problem(name, bind, functions, inputs, weights), TORCH_WAYS)
