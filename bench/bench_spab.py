"""``spab``: the whole block of SPAN, at 28 and 48 channels."""

import pytest
import torch

from esr_kernels.benchmark.problem import op_problem, weights_of
from esr_kernels.benchmark.torch_ways import TORCH_WAYS
from esr_kernels.ops.spab import reference
from tests.images import image


@pytest.mark.parametrize("channels", [28, 48])
def test_spab(contest, channels):
    def bind(function):
        return lambda xs, *weights: function(xs[0], *weights)

    weights = weights_of(*[(channels, channels, 3)] * 3)
    functions = reference, torch.ops.esr_kernels.spab.default
    inputs = (image(1, channels, 256, 256),)
    name = f"{channels} channels 256x256"
    contest("spab", op_problem(name, bind, functions, inputs, weights), TORCH_WAYS)
