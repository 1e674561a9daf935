"""``esa`` as RLFN has it: 46 channels, 16 inside."""

import pytest
import torch

from esr_kernels.benchmark.problem import op_problem, weights_of
from esr_kernels.benchmark.torch_ways import TORCH_WAYS
from esr_kernels.ops.esa import reference
from tests.images import image


@pytest.mark.parametrize("channels", [46])
def test_esa(contest, channels):
    def bind(function):
        return lambda xs, *weights: function(xs[0], *weights)

    weights = weights_of(
        (16, channels, 1), (16, 16, 1), (16, 16, 3), (16, 16, 3), (channels, 16, 1)
    )
    functions = reference, torch.ops.esr_kernels.esa.default
    inputs = (image(1, channels, 256, 256),)
    name = f"{channels} channels 256x256"
    contest("esa", op_problem(name, bind, functions, inputs, weights), TORCH_WAYS)
