"""Whole networks on the GPU backends."""

from __future__ import annotations

import copy

import pytest
import torch
from gpu_device import (
    BACKENDS,
    DEVICE,
    INTERPRETED,
    NEEDS_DEVICE,
    NEEDS_GPU,
    only_backend,
    rounding,
)
from images import image
from operands import DTYPES, assert_same_format, channels_last, contiguous
from torch import Tensor, nn

import esr_kernels
from esr_kernels import models

pytestmark = NEEDS_DEVICE


@pytest.fixture(autouse=True, params=BACKENDS)
def backend(request, monkeypatch) -> str:
    only_backend(request.param, monkeypatch)
    return request.param


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
def test_network(network, backend, layout, dtype, tolerance):
    network, x = network.to(dtype), layout(picture(dtype))
    digits = rounding(dtype)
    plain = copy.deepcopy(network).to(digits)(x.to(digits)).to(dtype)
    exactly = copy.deepcopy(network).double()(x.double())
    fast = esr_kernels.accelerate(network)
    assert backend in {line.backend for line in esr_kernels.explain(fast).lines}
    first, second = fast(x), fast(x)
    tolerance(first, plain, exactly)
    assert_same_format(x, first)
    assert torch.equal(first, second) and first.data_ptr() != second.data_ptr()


def test_what_torch_computes_has_a_reason(backend):
    depthwise = nn.Conv2d(16, 16, 5, padding=2, groups=16)
    ends = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 12, 3, padding=1)
    network = nn.Sequential(ends[0], nn.Softsign(), depthwise, ends[1], nn.PixelShuffle(2))
    fast = esr_kernels.accelerate(network.eval().to(DEVICE))
    report = esr_kernels.explain(fast, picture())
    assert report.title.startswith("accelerated")
    found = {line.what: line for line in report.lines}
    assert found["torch"].detail == "Softsign" and found["torch"].why
    assert found["depthwise_act"].backend == "reference"
    assert "no kernel for" in found["depthwise_act"].why
    assert found["conv3x3_pixel_shuffle"].backend == backend
    assert sum(line.share or 0 for line in report.lines) == pytest.approx(1)
    assert all(line.share for line in report.lines if line.calls)


@NEEDS_GPU
@torch.inference_mode()
def test_recorded_by_the_caller(network):
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


@NEEDS_GPU
@torch.no_grad()
def test_cuda_graphs(network, tolerance):
    """Recorded by ourselves: on several streams, of several shapes, and again for new weights."""
    plain, network = network.half(), copy.deepcopy(network)
    fast = esr_kernels.accelerate(network, cuda_graphs=True)
    pictures = [picture(torch.float16), picture(torch.float16)[..., 1:-1].flip(3)]
    direct = esr_kernels.accelerate(copy.deepcopy(plain))
    expected = [direct(x) for x in pictures]
    for stream in (torch.cuda.current_stream(), torch.cuda.Stream(), torch.cuda.current_stream()):
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            results = [fast(x) for x in pictures]
        stream.synchronize()
        assert all(map(torch.equal, results, expected))
    assert "2 recorded" in str(esr_kernels.explain(fast))
    for parameter in network.parameters():
        parameter.mul_(0.5)
    halved, x = esr_kernels.restore(copy.deepcopy(network)), pictures[0]
    tolerance(fast(x), halved(x), halved.double()(x.double()))
