"""Every architecture of spandrel, accelerated as a stranger would: the same pictures as before."""

import copy

import pytest
import torch
from spandrel_networks import HOSTS, LEFT_OUT, available
from torch.utils._pytree import tree_leaves

import esr_kernels

pytestmark = pytest.mark.usefixtures("spandrel")

#: Of these, planning or the float64 result alone takes seconds.
SLOW: set[str] = set()


def cases():
    return [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in HOSTS]


@torch.no_grad()
def results(network, inputs):
    """What comes out, with the same noise at every call where the network draws some."""
    torch.manual_seed(0)
    return tree_leaves(network(*(x.clone() for x in inputs)))


def exact_results(host, inputs):
    """The same in float64, where tensors that the network makes itself are float64 too."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        return results(host.build().double(), [x.double() for x in inputs])
    finally:
        torch.set_default_dtype(before)


def yardsticks(host, plain, inputs):
    """The results in plain torch, and those that they and ours are measured by.

    Noise has other values in float64: there, torch's error is how far its memory formats differ.
    """
    expected = results(plain, inputs)
    if not host.draws:
        return expected, exact_results(host, inputs)
    other = copy.deepcopy(plain).to(memory_format=torch.channels_last)
    inputs = [x.contiguous(memory_format=torch.channels_last) for x in inputs]
    return results(other, inputs), [y.double() for y in expected]


@pytest.mark.parametrize("name", cases())
def test_same_results_before_and_after(name, tolerance):
    host = HOSTS[name]
    if not available(host):
        pytest.skip(f"{host.package} is not installed")
    plain = host.build()
    fast = esr_kernels.accelerate(copy.deepcopy(plain))
    for height, width in host.sizes():
        inputs = host.inputs(height, width)
        ours = results(fast, inputs)
        expected, exact = yardsticks(host, plain, inputs)
        assert len(ours) == len(expected) == len(exact) > 0
        for y, torchs, best in zip(ours, expected, exact, strict=True):
            tolerance(y, torchs, best)
    report = esr_kernels.explain(fast)
    assert "accelerated" in report.title and "Error" not in str(report)


def test_every_architecture_is_listed(spandrel):
    here = {host.identifier for host in HOSTS.values() if host.package == "spandrel"}
    known = {entry.architecture.id for entry in spandrel.MAIN_REGISTRY.architectures()}
    assert known - here - LEFT_OUT.keys() == set()
    assert not here & LEFT_OUT.keys() and all(LEFT_OUT.values())


@pytest.mark.parametrize("name", [name for name, host in HOSTS.items() if not host.draws])
def test_drawn_weights_reach_the_result(name):
    """A branch of zeros would be compared with nothing."""
    host = HOSTS[name]
    if not available(host):
        pytest.skip(f"{host.package} is not installed")
    network = host.build()
    size = host.sizes()[-1]
    first, second = (results(network, host.inputs(*size, seed=seed)) for seed in (0, 5))
    assert all(y.isfinite().all() for y in first)
    assert not torch.equal(first[0], second[0])
