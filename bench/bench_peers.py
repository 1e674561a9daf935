"""Whole networks beside other runtimes, and beside torch's own ways in the same rounds."""

import pytest

from esr_kernels.benchmark.peers import PEERS, installed
from esr_kernels.benchmark.torch_ways import TORCH_WAYS

from .networks import SIZES, problem


@pytest.mark.skipif(
    not installed(), reason=f"none of {', '.join(PEERS)} is installed: pip install -e .[peers]"
)
@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("network", ["SPAN-28", "RLFN"])
def test_peers(contest, network, size):
    contest("peers", problem(network, *size), TORCH_WAYS | PEERS)
