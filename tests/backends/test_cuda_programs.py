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
        ("needs a residual", lambda p, x: p.conv([x], W, None, "spab")),
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
        program.run([picture] * inputs, [picture] * outputs, *size, 0, 0, *LIMITS["sm_90"], 0)


@torch.no_grad()
def test_launches_of_span(monkeypatch):
    """One for each block of a large picture, three of a small one, one for either end, and two for
    the concatenation."""
    emulate_gpu(monkeypatch, "sm_90")
    model = models.SPAN(28).eval().half()
    plan = vars(esr_kernels.accelerate(model))["forward"].current_plan()
    (region,) = [part for name, part in plan.run.named_modules() if name.startswith("region")]
    h100 = 132, LIMITS["sm_90"][1]
    large = region.builder.program.launches(*h100, 1, 1080, 1920)
    assert large.count("spab") == 6 and large[-1] == "conv3x3_pixel_shuffle"
    assert len(large) == 10, large
    small = region.builder.program.launches(*h100, 1, 256, 256)
    assert small.count("conv_act") == 19 and len(small) == 22, small
    small = region.builder.program.workspace_bytes(*LIMITS["sm_90"], 1, 64, 64)
    large = region.builder.program.workspace_bytes(*LIMITS["sm_90"], 1, 128, 128)
    assert 3 * small < large < 5 * small
