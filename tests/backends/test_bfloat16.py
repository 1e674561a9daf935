"""bfloat16 on the CPU: convolutions on matrix tiles where the processor has them.

Elsewhere the same programs compute in float32, which passes every test but the last. The kernels
themselves are tested on any processor: ``csrc/tiles_test.cpp``.
"""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from images import image
from PIL import Image
from torch import nn

import esr_kernels
from esr_kernels import models
from esr_kernels.backends import cpu

pytestmark = pytest.mark.skipif(cpu._C is None, reason="esr_kernels._C is not built")


def seeded(build) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build().eval().requires_grad_(False)


@pytest.mark.parametrize("build", [models.SPAN, models.RLFN], ids=["SPAN", "RLFN"])
@pytest.mark.parametrize(("n", "size"), [(1, (33, 70)), (2, (16, 21))])
def test_networks_are_as_good_as_torch_in_bfloat16(build, n, size, tolerance):
    plain = seeded(build)
    x = image(n, 3, *size)
    with torch.inference_mode():
        exact = copy.deepcopy(plain).double()(x.double())
        torchs = copy.deepcopy(plain).bfloat16()(x.bfloat16()).float()
        ours = esr_kernels.accelerate(plain, compute_dtype=torch.bfloat16)(x)
        tolerance(ours, torchs, exact)


def test_a_network_of_bfloat16_gives_bfloat16(tolerance):
    plain = seeded(models.SPAN).bfloat16()
    x = image(1, 3, 20, 31).bfloat16()
    with torch.inference_mode():
        exact = copy.deepcopy(plain).double()(x.double())
        torchs = copy.deepcopy(plain)(x)
        tolerance(esr_kernels.accelerate(plain)(x), torchs, exact)


def test_float32_multiplies_no_bfloat16():
    assert not cpu._C.Program().has_tiles
    assert cpu._C.Program(in_bfloat16=True).has_tiles == (cpu._C.isas()[0] == "amx")


@pytest.mark.reference
@pytest.mark.parametrize("name", ["span", "rlfn"])
def test_photographs_lose_little(name, reference_dir):
    """At least 50 dB between bfloat16 and float32, of numbers in [0, 1]."""
    path = reference_dir / "data" / "Set5" / "LRx4" / "img_001.png"
    x = torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1)[None] / 255
    with torch.inference_mode():
        whole = esr_kernels.accelerate(models.load(name, weights="official"))(x)
        model = models.load(name, weights="official")
        half = esr_kernels.accelerate(model, compute_dtype=torch.bfloat16)(x)
    assert esr_kernels.explain(model).title == "accelerated, bfloat16 on cpu"
    assert (whole - half).square().mean().item() < 1e-5
    if "amx" in cpu._C.isas():
        assert not torch.equal(whole, half)  # it was computed in bfloat16
