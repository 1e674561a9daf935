"""Networks and ops on a GPU, the networks also at the sizes of video.

    pytest bench/bench_gpu.py --benchmark-only -k SPAN-28

Prints the table and writes ``results/latest-gpu.json``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from esr_kernels.benchmark.gpu import contest as gpu

from .bench_conv3x3_pixel_shuffle import test_conv3x3_pixel_shuffle as conv3x3_pixel_shuffle
from .bench_conv_act import CASES
from .bench_conv_act import test_conv_act as conv_act
from .bench_depthwise_act import CASES as DEPTHWISE_CASES
from .bench_depthwise_act import test_depthwise_act as depthwise_act
from .bench_esa import test_esa as esa
from .bench_spab import test_spab as spab
from .networks import NETWORKS, problem

LATEST = Path(__file__).parent / "results" / "latest-gpu.json"
SIZES = ((256, 256), (339, 510), (720, 1280), (1080, 1920))
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that torch can use"),
]


@pytest.fixture(scope="module")
def cases(request) -> Iterator[list[dict]]:
    """Collects the cases; at the end they are printed and written."""
    found: list[dict] = []
    yield found
    if not found:
        return
    LATEST.write_text(json.dumps({"machine": gpu.stamp(), "cases": found}, indent=1) + "\n")
    writer = request.config.get_terminal_writer()
    writer.line(f"\n{gpu.table(found)}\nwritten to {LATEST}")


@pytest.fixture
def contest(benchmark, cases, monkeypatch):
    """Stands in for the contest on the CPU, and has contestants of its own."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)  # put back at the end

    def run(group, problem, factories=None) -> None:
        case = benchmark.pedantic(gpu.contest, (group, problem))
        benchmark.extra_info.update(case)
        cases.append(case)

    return run


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("network", NETWORKS)
def test_networks(contest, network, size):
    contest("models", problem(network, *size))


@pytest.mark.parametrize("name", CASES)
def test_conv(contest, name):
    conv_act(contest, name)


@pytest.mark.parametrize("name", DEPTHWISE_CASES)
def test_depthwise(contest, name):
    depthwise_act(contest, name)


@pytest.mark.parametrize(
    "op", [esa, conv3x3_pixel_shuffle, spab], ids=["esa", "conv3x3_pixel_shuffle", "spab"]
)
def test_ops(contest, op):
    op(contest, {esa: 46}.get(op, 28))
