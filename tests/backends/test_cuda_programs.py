"""Programs for GPUs as such: what they refuse, and the launches they are made of."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("esr_kernels._C", reason="esr_kernels._C is not built")

from emulated_gpu import LIMITS, emulate_gpu, emulator

import esr_kernels
from esr_kernels import models

pytestmark = pytest.mark.slow

W = torch.rand(4, 3, 3, 3).double().numpy()
WIDE = torch.rand(4, 1600, 1, 1).double().numpy()
ESA = [torch.rand(*s).double().numpy() for s in [(2, 3, 1, 1), (2, 2, 1, 1), (2, 2, 3, 3)]]
ESA = [(w, None) for w in [*ESA, ESA[2], torch.rand(3, 2, 1, 1).double().numpy()]]
WIDER, SAME = (torch.rand(32, c, 3, 3).double().numpy() for c in (3, 32))
SPAB = [(torch.rand(3, 3, 3, 3).double().numpy(), None)] * 3


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ("unknown format 'f8'", lambda p, x: emulator().cuda.Program("f8")),
        ("1 or more sources", lambda p, x: p.conv([], W, None)),
        ("at most 96 slabs", lambda p, x: p.conv([p.input(1600)], WIDE, None)),
        ("do not add up", lambda p, x: p.conv([x, x], W, None)),
        ("value 99 is none", lambda p, x: p.conv([99], W, None)),
        ("unknown activation 'mish'", lambda p, x: p.conv([x], W, None, "mish")),
        ("needs a residual", lambda p, x: p.conv([x], W, None, "span_gate")),
        ("conv1, conv2, conv3", lambda p, x: p.spab(x, SPAB[:2])),
        ("spab weight 1", lambda p, x: p.spab(x, [SPAB[0], (W, None), SPAB[2]])),
        ("value 99 is none", lambda p, x: p.spab(99, SPAB)),
        ("conv1, conv_f", lambda p, x: p.esa(x, ESA[:4])),
        ("esa weight 0", lambda p, x: p.esa(x, [ESA[1], *ESA[1:]])),
        ("shuffle factor", lambda p, x: p.output(x, 0)),
        ("divide", lambda p, x: p.output(x, 2)),
        ("channels", lambda p, x: p.input(0)),
    ],
)
def test_wrong_steps(words, wrong):
    program = emulator().cuda.Program("f16")
    x = program.input(3)
    with pytest.raises(ValueError, match=words):
        wrong(program, x)


@pytest.mark.parametrize(
    ("words", "inputs", "outputs", "size", "element"),
    [
        ("empty", 1, 1, (1, 0, 4), "f32"),
        ("1 input", 2, 1, (1, 4, 4), "f32"),
        ("1 output", 1, 0, (1, 4, 4), "f32"),
        ("unknown type of elements 'f64'", 1, 1, (1, 4, 4), "f64"),
    ],
)
def test_wrong_runs(words, inputs, outputs, size, element):
    program = emulator().cuda.Program("f16")
    program.output(program.conv([program.input(3)], W, None))
    picture = 0, 0, 0, 0, 0, element
    with pytest.raises(ValueError, match=words):
        program.run([picture] * inputs, [picture] * outputs, size, 0, 0, LIMITS["sm_90"], 0)


@pytest.mark.parametrize(
    ("words", "format_", "force"),
    [
        ("unknown fusion 'both'", "f16", {"fusion": "both"}),
        ("2, 4, 6 or 8 tiles, not 5", "f16", {"n_tiles": 5}),
        ("1 or 2 blocks per SM, not 3", "f16", {"blocks_per_sm": 3}),
        ("shared_bytes must be 1 or more", "f16", {"shared_bytes": 0}),
        ("unknown use of half sums", "f16", {"half_sums": "sometimes"}),
        ("only f16 has half sums, not bf16", "bf16", {"half_sums": "auto"}),
    ],
)
def test_forms_that_do_not_exist(words, format_, force):
    with pytest.raises(ValueError, match=words):
        emulator().cuda.Program(format_, **force)


def test_tf32_has_no_fused_spab():
    program = emulator().cuda.Program("tf32", fusion="fused")
    with pytest.raises(ValueError, match="tf32 has no spab in one kernel"):
        program.spab(program.input(3), SPAB)


@pytest.mark.parametrize(
    ("words", "force"),
    [
        ("need more registers", {"n_tiles": 8, "blocks_per_sm": 2}),
        ("need more shared memory", {"blocks_per_sm": 2, "shared_bytes": 64 * 1024}),
        ("needs 57600 bytes of shared memory, and a block may have 20000", {"shared_bytes": 20000}),
        ("spab of 3 channels", {"fusion": "fused"}),
    ],
)
def test_forms_that_do_not_fit(words, force):
    program = emulator().cuda.Program("f16", **force)
    x = program.input(3)
    y = program.conv([program.conv([x], WIDER, None)], SAME, None)
    program.output(y)
    program.output(program.spab(x, SPAB)[0])
    question = LIMITS["sm_90"], (1, 40, 50)
    for ask in (program.launches, program.forms, program.workspace_bytes):
        with pytest.raises(ValueError, match=words):
            ask(*question)


def test_forced_forms_are_launched():
    def forms(*size, **force):
        program = emulator().cuda.Program("f16", **force)
        o, _ = program.spab(program.input(28), [(SAME[:28, :28], None)] * 3)
        program.output(o)
        return program.forms(LIMITS["sm_90"], size)[1:-1]

    apart = ["conv_act f16 3x3 4 tiles slabs"] * 3
    fused = ["spab f16 2 slabs 4 rows 4 patches"]
    small, large = (1, 20, 20), (1, 1080, 1920)
    assert forms(*small) == forms(*small, fusion="apart") == forms(*large, fusion="apart") == apart
    assert forms(*large) == forms(*large, fusion="fused") == forms(*small, fusion="fused") == fused
    assert forms(*large, n_tiles=8) == ["conv_act f16 3x3 8 tiles slabs"] * 3
    narrow = forms(*large, fusion="fused", shared_bytes=99 * 1024)
    assert narrow == ["spab f16 2 slabs 2 rows 2 patches"]
    halves = "spab half_sums 2 slabs 4 rows 4 patches"
    assert (
        forms(*large, half_sums="always") == [halves] and forms(*large, half_sums="auto") == fused
    )


@torch.no_grad()
def test_launches_of_span(monkeypatch):
    """One for each block of a large picture, three of a small one, one for either end, and two for
    the concatenation."""
    emulate_gpu(monkeypatch, "sm_90")
    model = models.SPAN(28).eval().half()
    plan = vars(esr_kernels.accelerate(model))["forward"].plans.current()
    (subgraph,) = [part for name, part in plan.run.named_modules() if name.startswith("subgraph")]
    h100 = LIMITS["sm_90"]._replace(sm_count=132)
    large = subgraph.builder.program.launches(h100, (1, 1080, 1920))
    assert large.count("spab") == 6 and large[-1] == "conv3x3_pixel_shuffle"
    assert len(large) == 10, large
    small = subgraph.builder.program.launches(h100, (1, 256, 256))
    assert small.count("conv_act") == 19 and len(small) == 22, small
    small = subgraph.builder.program.workspace_bytes(LIMITS["sm_90"], (1, 64, 64))
    large = subgraph.builder.program.workspace_bytes(LIMITS["sm_90"], (1, 128, 128))
    assert 3 * small < large < 5 * small
