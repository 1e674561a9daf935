"""Whole networks on the Triton backend."""

from __future__ import annotations

import copy

import pytest
import torch
from images import image
from operands import DTYPES, assert_same_format, channels_last, contiguous
from torch import Tensor, nn
from triton_device import DEVICE, INTERPRETED, NEEDS_DEVICE, NEEDS_GPU, triton_only

import esr_kernels
from esr_kernels import models

pytestmark = NEEDS_DEVICE


@pytest.fixture(autouse=True)
def _triton_only(monkeypatch):
    triton_only(monkeypatch)


SIZE = (15, 17) if INTERPRETED else (47, 65)
NETWORKS = {"SPAN": lambda: models.SPAN(28), "RLFN": lambda: models.RLFN(46, mid=48)}


@pytest.fixture(params=NETWORKS)
def network(request) -> nn.Module:
    torch.manual_seed(0)
    return NETWORKS[request.param]().eval().requires_grad_(False).to(DEVICE)


def picture(dtype: torch.dtype = torch.float32) -> Tensor:
    return image(1, 3, *SIZE).to(DEVICE, dtype)


@torch.inference_mode()
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", [contiguous, channels_last])
def test_network(network, layout, dtype, tolerance):
    network, x = network.to(dtype), layout(picture(dtype))
    plain, exactly = network(x), copy.deepcopy(network).double()(x.double())
    fast = esr_kernels.accelerate(network)
    assert "triton" in {line.backend for line in esr_kernels.explain(fast).lines}
    first, second = fast(x), fast(x)
    tolerance(first, plain, exactly)
    assert_same_format(x, first)
    assert torch.equal(first, second) and first.data_ptr() != second.data_ptr()


@NEEDS_GPU
@torch.inference_mode()
def test_cuda_graph(network):
    fast, x = esr_kernels.accelerate(network), picture()
    expected = fast(x)
    other = torch.cuda.Stream()
    with torch.cuda.stream(other):  # what was packed on one stream is whole on the other
        assert torch.equal(fast(x), expected)
    torch.cuda.current_stream().wait_stream(other)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y = fast(x)
    y.zero_()
    graph.replay()
    assert torch.equal(y, expected)
