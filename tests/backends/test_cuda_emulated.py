"""The CUDA backend without a GPU: its programs, from Python, with the kernels in the emulator."""

from __future__ import annotations

import copy

import pytest
import torch
from images import image
from operands import (
    DTYPES,
    amid_nan,
    assert_matches,
    assert_same_format,
    channel_slice,
    channels_last,
    contiguous,
    every_second,
    expanded,
)
from torch import nn
from torch.utils._pytree import tree_leaves, tree_map

pytest.importorskip("esr_kernels._C", reason="esr_kernels._C is not built")

from emulated_gpu import LIMITS, emulate_gpu
from test_gpu_ops import CASES as ALL_CASES
from test_gpu_ops import REFERENCES

import esr_kernels
from esr_kernels.backends import cuda, gpu
from esr_kernels.backends.cuda import rounding
from esr_kernels.backends.cuda.builder import OP_SET
from esr_kernels.backends.self_check import disagreement
from esr_kernels.models.architectures.rlfn import RLFN
from esr_kernels.models.architectures.span import SPAN
from esr_kernels.ops import CONV_ACT
from esr_kernels.ops import OPS as DECLARED

pytestmark = pytest.mark.slow
OPS = torch.ops.esr_kernels
CPU = torch.device("cpu")
CASES = {name: case for name, case in ALL_CASES.items() if case[0] in cuda.COMPUTED}
SIZES = [(1, 3, 19, 37), (2, 3, 16, 40)]
LAYOUTS = [contiguous, channels_last, amid_nan, channel_slice, every_second, expanded]


@pytest.fixture(params=LIMITS)
def architecture(request) -> str:
    return request.param


@pytest.fixture(autouse=True)
def emulated(monkeypatch, architecture):
    emulate_gpu(monkeypatch, architecture)
    with torch.no_grad():
        yield


@pytest.mark.parametrize("case", CASES)
def test_ops(case):
    """Every dtype and layout comes several times, not every pair with every case."""
    op, build = CASES[case]
    at = list(CASES).index(case)
    dtype, layout = DTYPES[at % len(DTYPES)], LAYOUTS[at % len(LAYOUTS)]
    first, *rest = build(dtype=dtype)
    args = tree_map(layout, first), *rest
    ours = getattr(OPS, op)(*args)
    assert_matches(ours, REFERENCES[op], args, rounding(dtype, CPU))
    assert_same_format(tree_leaves(args[0])[0], *tree_leaves(ours))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout, dtype):
    op, build = CASES["conv (46, 48)"]
    first, *rest = build(dtype=dtype)
    args = tree_map(layout, first), *rest
    ours = OPS.conv_act(*args)
    assert_matches(ours, REFERENCES[op], args, rounding(dtype, CPU))
    wide = torch.full((2, 64, *ours.shape[2:]), 7, dtype=dtype)
    OPS.conv_act.out(*args, out=wide[:, 8:56])
    assert torch.equal(wide[:, 8:56], ours)
    assert (wide[:, :8] == 7).all() and (wide[:, 56:] == 7).all(), "neighbours were overwritten"


NETWORKS = {
    "SPAN": lambda: SPAN(28),
    "SPAN, 20 channels": lambda: SPAN(20, scale=2),
    "RLFN": lambda: RLFN(22, mid=24, blocks=2, esa_hidden=8),
}


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    return NETWORKS[name]().eval().requires_grad_(False)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("name", "size"), list(zip(NETWORKS, [*SIZES, SIZES[0]], strict=True)))
def test_networks(name, size, dtype, tolerance):
    model = network(name).to(dtype)
    plain, exact = copy.deepcopy(model).to(rounding(dtype, CPU)), copy.deepcopy(model).double()
    fast = esr_kernels.accelerate(model)
    assert {line.backend for line in esr_kernels.explain(fast).lines} == {"cuda"}
    x = channels_last(image(*size).to(dtype))
    ours = fast(x)
    tolerance(ours, plain(x.to(rounding(dtype, CPU))).to(dtype), exact(x.double()))
    assert_same_format(x, ours)
    assert torch.equal(fast(x.contiguous()), ours)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_the_ends_keep_float32(dtype, tolerance, monkeypatch):
    """Kernels read the float32 picture and write the large one: torch converts neither."""
    model, x = network("SPAN"), image(*SIZES[0])
    plain, exact = copy.deepcopy(model).to(dtype), copy.deepcopy(model).double()
    expected, exactly = plain(x.to(dtype)).float(), exact(x.double())
    fast = esr_kernels.accelerate(model, compute_dtype=dtype)
    nodes = [n.target for n in vars(fast)["forward"].plans.current().run.graph.nodes]
    assert nodes[1:3] == ["subgraph_0_0", nodes[2]] and len(nodes) == 4, nodes
    ours = fast(x)
    tolerance(ours, expected, exactly)
    assert not torch.equal(ours, ours.to(dtype).float()), "the result was rounded"


@pytest.mark.parametrize("name", ["conv (46, 48)", "spab 28"])
def test_sums_in_float16(name, monkeypatch, architecture):
    """They lose digits, but not as many as bfloat16; they are kept where that is faster."""
    op, build = CASES[name]
    args = build(dtype=torch.float16)
    in_float32 = getattr(OPS, op)(*args)
    monkeypatch.setattr(gpu, "allows_float16_sums", lambda: True)
    ours = getattr(OPS, op)(*args)
    assert_matches(ours, REFERENCES[op], args, rounding(torch.float16, CPU))
    pairs = list(zip(tree_leaves(ours), tree_leaves(in_float32), strict=True))
    faster = LIMITS[architecture].fast_half_sums
    assert rounding(torch.float16, CPU) == (torch.bfloat16 if faster else torch.float16)
    assert all(torch.equal(*pair) != faster for pair in pairs), "kept in the other dtype"


def test_a_network_with_sums_in_float16(monkeypatch, tolerance):
    monkeypatch.setattr(gpu, "allows_float16_sums", lambda: True)
    model, x = network("SPAN").half(), image(*SIZES[0]).half()
    digits = rounding(torch.float16, CPU)
    plain, exact = copy.deepcopy(model).to(digits), copy.deepcopy(model).double()
    ours = esr_kernels.accelerate(model)(x)
    tolerance(ours, plain(x.to(digits)).half(), exact(x.double()))


def test_what_only_the_cpu_has_runs_in_torch(tolerance):
    """Between two programs: an activation that no step of this device computes."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 20, 3, padding=1), nn.PReLU(20), nn.Conv2d(20, 3, 3, padding=1)
    )
    model = model.eval().requires_grad_(False).half()
    plain, exact = copy.deepcopy(model), copy.deepcopy(model).double()
    fast = esr_kernels.accelerate(model)
    report = esr_kernels.explain(fast)
    found = {(line.what, line.backend) for line in report.lines}
    assert found == {("conv_act", "cuda"), ("elementwise", "reference")}
    assert "has no kernel for elementwise" in report.lines[1].why
    x = image(*SIZES[0]).half()
    tolerance(fast(x), plain(x), exact(x.double()))


def test_what_is_too_wide_is_left_to_torch():
    x, weight = torch.rand(1, 800, 5, 6), torch.rand(4, 800, 1, 1)
    wide = [x.shape], weight.shape, None, "none", 0.0, None
    assert "768 channels" in OP_SET.refusal(CONV_ACT, wide)
    args = [x], weight, None, "none", 0.0, None
    assert torch.equal(OPS.conv_act(*args), REFERENCES["conv_act"](*args))
    out = torch.empty(1, 4, 5, 6)
    OPS.conv_act.out(*args, out=out)
    assert torch.equal(out, REFERENCES["conv_act"](*args))


def test_the_kernels_pass_their_own_check():
    for dtype in DTYPES:
        for op in (op for op in DECLARED if op.name in cuda.COMPUTED):
            run = cuda.implementation(op)
            assert disagreement(op, run, CPU, dtype, rounding(dtype, CPU)) is None
