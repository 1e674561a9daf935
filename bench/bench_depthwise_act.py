"""``depthwise_act`` as DepthRLFN has it, and blueprint-separable as SMRN does."""

import pytest
import torch

from esr_kernels.benchmark.problem import op_problem, weights_of
from esr_kernels.benchmark.torch_ways import TORCH_WAYS
from esr_kernels.ops.depthwise_act import reference
from tests.images import image

# name: (channels, pointwise convolution, activation)
CASES = {
    "48 lrelu": (48, False, "lrelu"),
    "1x1 48-48 gelu": (48, True, "gelu"),
    "1x1 28-28": (28, True, "none"),
}


@pytest.mark.parametrize("name", CASES)
def test_depthwise_act(contest, name):
    channels, separable, act = CASES[name]

    def bind(function):
        return lambda xs, w, b, *pointwise: function(
            xs[0], w, b, act, 0.05, None, *(pointwise or (None, None)), 1, "zeros"
        )

    shapes = [(channels, 1, 3), (channels, channels, 1)]
    weights = weights_of(*shapes[: 1 + separable])
    functions = reference, torch.ops.esr_kernels.depthwise_act.default
    problem = op_problem(
        f"{name} 256x256", bind, functions, (image(1, channels, 256, 256),), weights
    )
    contest("depthwise_act", problem, TORCH_WAYS)
