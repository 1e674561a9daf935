"""``conv_act`` at the shapes that SPAN and RLFN are made of."""

import pytest
import torch

from esr_kernels.benchmark.problem import op_problem, weights_of
from esr_kernels.benchmark.torch_ways import TORCH_WAYS
from esr_kernels.ops.conv_act import reference
from tests.images import image

# name: (input channels, output channels, kernel, activation)
CASES = {
    "28-28 silu": ([28], 28, 3, "silu"),
    "48-48 lrelu": ([48], 48, 3, "lrelu"),
    "28-48": ([28], 48, 3, "none"),
    "1x1 4*28-28": ([28] * 4, 28, 1, "none"),
}


@pytest.mark.parametrize("name", CASES)
def test_conv_act(contest, name):
    channels, co, kernel, act = CASES[name]

    def bind(function):
        return lambda xs, w, b: function(list(xs), w, b, act, 0.05, None)

    inputs = tuple(image(1, c, 256, 256, seed=i) for i, c in enumerate(channels))
    weights = weights_of((co, sum(channels), kernel))
    functions = reference, torch.ops.esr_kernels.conv_act.default
    contest("conv_act", op_problem(f"{name} 256x256", bind, functions, inputs, weights), TORCH_WAYS)
