"""Every architecture of spandrel, small, beside plain torch in both memory formats.

The table of docs/hosts.md is made of this:

    pytest bench/bench_hosts.py --benchmark-only -k 2-threads --benchmark-min-rounds=3
"""

import pytest

from esr_kernels.benchmark.torch_ways import TORCH_WAYS
from tests.hosts.spandrel_networks import HOSTS, available

from .hosts import SIZES_PX, parts, problem

WAYS = {name: TORCH_WAYS[name] for name in ("ours", "eager", "channels_last")}
#: Those that take pictures of one size only are timed once.
CASES = [(n, s) for n, host in HOSTS.items() for s in SIZES_PX if s == SIZES_PX[0] or not host.only]


@pytest.mark.usefixtures("spandrel")
@pytest.mark.parametrize(("name", "size_px"), CASES, ids=lambda value: str(value))
def test_hosts(contest, name, size_px):
    if not available(HOSTS[name]):
        pytest.skip(f"{HOSTS[name].package} is not installed")
    case = contest("hosts", problem(name, size_px), WAYS)
    if case is not None:
        case |= {"asked_px": size_px, "parts": parts(name)}
