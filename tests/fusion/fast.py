"""What the tests of accelerated modules share."""

from __future__ import annotations

import copy

import torch
from lookalikes import PartlyBranching, Refolding, Residuals, SwiftNet

import esr_kernels.fusion as fusion
from esr_kernels.fusion.accelerate import Accelerated
from esr_kernels.models.architectures.rlfn import RLFN
from esr_kernels.models.architectures.span import SPAN


def span(**kwargs):
    torch.manual_seed(0)
    return SPAN(**{"width": 14, "scale": 2, **kwargs}).eval()


def is_fast(model, x) -> bool:
    """Whether the call takes the planned way."""
    forward = vars(model).get("forward")
    if not isinstance(forward, Accelerated):
        return False
    calls = []
    forward.original, original = lambda *a: calls.append(a) or original(*a), forward.original
    try:
        model(x)
    finally:
        del forward.original
    return not calls


def check(model, x, tolerance):
    """The accelerated model computes what its original forward does, at least as exactly."""
    assert is_fast(model, x)
    with torch.inference_mode():
        ours = model(x)
    twin = fusion.restore(copy.deepcopy(model))
    tolerance(ours, twin(x), twin.double()(x.double()))


MODELS = {
    "span": lambda: span(),
    "span 26": lambda: span(width=26, scale=4, norm=False),
    "span training": lambda: span(training_form=True),
    "rlfn": lambda: RLFN(14, mid=16, blocks=2, esa_hidden=8).eval(),
    "swift": lambda: SwiftNet(10).eval(),
    "swift refolding": lambda: SwiftNet(6, conv=Refolding).eval(),
    "residuals": lambda: Residuals().eval(),
    "partly branching": lambda: PartlyBranching().eval(),
}
