"""Computing in another dtype than that of inputs and results."""

from __future__ import annotations

import copy

import pytest
import torch
from test_compile import (
    LAYERS,
    PICTURES,
    Network,
    _several,
    between,
    diamond,
    hidden_used,
    input_twice,
)

import esr_kernels
from esr_kernels.backends.lowering.casting import casting


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize(
    "forward", [between, diamond, hidden_used, input_twice], ids=lambda f: f.__name__
)
@torch.no_grad()
def test_networks(forward, backend, tolerance, monkeypatch):
    """The dtype of the results is the network's, and they are as exact as those of the other."""
    monkeypatch.setenv("ESR_KERNELS_BACKEND", backend)
    model = Network(forward, *LAYERS)
    plain, exact = copy.deepcopy(model).bfloat16(), copy.deepcopy(model).double()
    fast = esr_kernels.accelerate(model, compute_dtype=torch.bfloat16)
    for x in PICTURES:
        results = (_several(m) for m in (fast(x), plain(x.bfloat16()), exact(x.double())))
        for ours, theirs, exactly in zip(*results, strict=True):
            tolerance(ours, theirs.float(), exactly)


def test_what_is_no_result_stays_as_it_is():
    def run(x):
        assert x.dtype == torch.float16
        return {"y": x, "index": torch.arange(3), "name": "plain"}

    result = casting(run, torch.float16, torch.float32)(torch.rand(2, 2))
    assert result["y"].dtype == torch.float32 and result["index"].dtype == torch.int64
    assert result["name"] == "plain"
    assert casting(run, torch.float16, torch.float16) is run
