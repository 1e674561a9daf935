"""Whole networks beside other runtimes, and beside torch's own ways in the same rounds."""

import pytest

from esr_kernels.benchmark.contest import OURS, Implementation
from esr_kernels.benchmark.peers import DEFAULTS, PEERS, installed
from esr_kernels.benchmark.torch_ways import TORCH_WAYS, in_bfloat16

from .networks import SIZES, bfloat16_problem, problem


@pytest.mark.skipif(
    not installed(), reason=f"none of {', '.join(PEERS)} is installed: pip install -e .[peers]"
)
@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("network", ["SPAN-28", "RLFN"])
def test_peers(contest, network, size):
    contest("peers", problem(network, *size), TORCH_WAYS | PEERS)


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("network", ["SPAN-28", "RLFN"])
def test_bfloat16(contest, network, size):
    """Ours in bfloat16 beside ours in float32, and beside those who round without being asked."""

    def ours_in_float32(of, threads):
        module = problem(network, *size).ours()
        return Implementation(lambda: module(*of.inputs))

    rivals = {
        "ours in float32": ours_in_float32,
        "torch in bfloat16": in_bfloat16,
        "OpenVINO in float32": PEERS["OpenVINO"],
    }
    ours = {OURS: TORCH_WAYS[OURS]}
    contest("bfloat16", bfloat16_problem(network, *size), ours | rivals | DEFAULTS)
