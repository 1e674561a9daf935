"""Whole networks beside what torch itself offers.

Where a peer is installed, ``bench_peers.py`` times SPAN-28 and RLFN against all of these and the
peers in the same rounds; run together, those cases are left to it.
"""

import pytest

from esr_kernels.benchmark.peers import DEFAULTS, PEERS
from esr_kernels.benchmark.torch_ways import TORCH_WAYS

from .networks import NETWORKS, SIZES, is_here, other_networks, problem


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("network", NETWORKS)
def test_models(contest, network, size):
    contest("models", problem(network, *size), TORCH_WAYS)


@pytest.mark.parametrize("network", other_networks())
def test_every_network(contest, network):
    """The others of the report at one size, beside everybody who can run them."""
    if not is_here(network):
        pytest.skip(f"the official weights of {network} are not on this machine")
    contest("models", problem(network, *SIZES[0]), TORCH_WAYS | PEERS | DEFAULTS)
