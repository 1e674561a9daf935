"""Whole networks beside other runtimes, and beside torch's own ways in the same rounds."""

import pytest

from .networks import SIZES, problem
from .peers import PEERS, installed
from .torch_ways import TORCH_WAYS


@pytest.mark.skipif(
    not installed(), reason=f"none of {', '.join(PEERS)} is installed: pip install -e .[peers]"
)
@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("network", ["SPAN-28", "RLFN"])
def test_peers(contest, network, size):
    contest("peers", problem(network, *size), TORCH_WAYS | PEERS)
