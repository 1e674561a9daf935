"""Every architecture of spandrel, accelerated as a stranger would: the same pictures as before."""

import pytest
import torch
from spandrel_networks import HOSTS, LEFT_OUT, available, default_dtype
from tolerance import errors
from torch.utils._pytree import tree_leaves

import esr_kernels

pytestmark = [pytest.mark.usefixtures("spandrel"), pytest.mark.real_costs]

#: Following these takes the most time: many modules, or wide ones of which each is looked at.
SLOW = {
    *("MMRealSR", "FBCNN", "LaMa", "GFPGAN", "AuraSR", "DRCT", "GRL", "CRAFT", "DCTLSA", "SCUNet"),
    *(
        "Uformer",
        "KBNet-l",
        "HVICIDNet",
        "MPRNet",
        "FFTformer",
        "RestoreFormer",
        "DDColor",
        "AdaCode",
        "FeMaSR",
        "M3SNet",
    ),
}


#: Name -> why its results are not as exact as torch's yet.
INEXACT = {
    "RestoreFormer": "Winograd's error, three times torch's, adds up over 50 wide convolutions",
}


def cases():
    for name in HOSTS:
        marks = [pytest.mark.slow] if name in SLOW else []
        if name in INEXACT:
            marks.append(pytest.mark.xfail(reason=INEXACT[name], strict=False))
        yield pytest.param(name, marks=marks)


@torch.no_grad()
def results(network, inputs):
    """What comes out, with the same noise at every call where the network draws some."""
    torch.manual_seed(0)
    leaves = tree_leaves(network(*(x.clone() for x in inputs)))
    return [y for y in leaves if isinstance(y, torch.Tensor)]


def yardsticks(host, plain, inputs):
    """The results that ours are measured by: torch's in float32, and exact ones.

    Without a result in float64, torch's error is how far two of its libraries differ.
    """
    expected = results(plain, inputs)
    if not host.float32_only:
        with default_dtype(torch.float64):
            return expected, results(host.in_float64(), [x.double() for x in inputs])
    with torch.backends.mkldnn.flags(enabled=False):
        return results(plain, inputs), [y.double() for y in expected]


@pytest.mark.parametrize("name", cases())
def test_same_results_before_and_after(name, tolerance):
    host = HOSTS[name]
    if not available(host):
        pytest.skip(f"{host.package} is not installed")
    plain, fast = host.build(), esr_kernels.accelerate(host.build())
    for height, width in host.sizes():
        inputs = host.inputs(height, width)
        ours = results(fast, inputs)
        expected, exact = yardsticks(host, plain, inputs)
        assert len(ours) == len(expected) == len(exact) > 0
        for y, torchs, best in zip(ours, expected, exact, strict=False):
            tolerance(y, torchs, best)
            assert errors(torchs, best)[0] <= 1e-3 * best.abs().max() + 1e-6  # a real yardstick
    report = esr_kernels.explain(fast)
    assert "accelerated" in report.title
    assert report.lines or ": " in report.title  # what became of its parts, or the reason for none


def test_every_architecture_is_listed(spandrel):
    here = {host.identifier for host in HOSTS.values() if host.package == "spandrel"}
    known = {entry.architecture.id for entry in spandrel.MAIN_REGISTRY.architectures()}
    assert known - here - LEFT_OUT.keys() == set()
    assert not here & LEFT_OUT.keys() and all(LEFT_OUT.values())
