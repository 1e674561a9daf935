"""The counts of every network of the challenge, to the digit, and of modules small enough to do by
hand."""

import builtins

import pytest
from torch import nn

import esr_kernels
from esr_kernels import models
from esr_kernels.challenge import Complexity, complexity
from esr_kernels.challenge.sources import resolve
from esr_kernels.models.catalogue import OFFICIAL

# FLOPs that fvcore sees here beyond those it saw in the official networks.
DIFFERENCES = {
    # Its eight mixers were one opaque operation each: for every pixel (width 60, 120 inner
    # channels, 4 ranks, 16 states) a convolution of 4 taps, three linear maps, the scan's read-out.
    "dvmsr": 8 * 256**2 * (120 * 4 + 120 * (4 + 2 * 16) + 4 * 120 + 120 * 60 + 120 * 16),
    # 32 position-bias nets, on 217 offsets each, whose result is constant and left out here: linear
    # maps 2-1, 1-1, 1-1 and 1-3, and three layer norms, which count 5 a number.
    "craft": -32 * 217 * (2 + 1 + 1 + 3 + 3 * 5),
}
# Networks whose costs are in proportion to the pixels, with the side at which they are counted:
# at 256 pixels fvcore takes up to minutes for one.
SIDES_PX = {
    **dict.fromkeys(("dvmsr", "rrdbnet"), 32),
    **dict.fromkeys(("craft", "magicsr", "gfmn", "egfmn", "smfan", "safmnpp", "errn"), 64),
}


@pytest.mark.reference
@pytest.mark.parametrize("entry", OFFICIAL.values(), ids=lambda entry: entry.name)
def test_official_counts(entry, reference_dir, monkeypatch):
    monkeypatch.setenv("ESR_KERNELS_WEIGHTS", str(reference_dir / "reference" / "weights"))
    if entry.filename:
        model = resolve(f"{entry.name}?weights=official").counted
    else:
        model = models.find(entry.network).build(**entry.options)
    size = SIDES_PX.get(entry.network, 256)
    parts = (256 // size) ** 2
    flops = entry.flops + DIFFERENCES.get(entry.network, 0)
    pixels = flops // parts, entry.activations // parts
    expected = Complexity(entry.parameters, *pixels, entry.convolutions, size)
    assert complexity(model, size) == expected


class Small(nn.Module):
    """Two calls of one 1x1 convolution with 3 * 3 weights, and one 3x3 to 48 channels."""

    def __init__(self):
        super().__init__()
        self.mix, self.last = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 48, 3, padding=1, bias=False)

    def forward(self, x):
        assert x.shape[1] == 3  # a branch on a size, on which recorders may stumble
        return nn.functional.pixel_shuffle(self.last(self.mix(self.mix(x)).relu()), 4)


def test_by_hand():
    pixels = 20 * 20
    flops = pixels * (2 * 3 * 3 + 48 * 3 * 9)
    expected = Complexity(12 + 48 * 27, flops, pixels * (3 + 3 + 48), 3, size=20)
    assert complexity(Small(), size=20) == expected


class Attention(nn.Module):
    """Attention of all pixels to all, in the way of torch or spelled out."""

    def __init__(self, spelled_out: bool):
        super().__init__()
        self.spelled_out = spelled_out

    def forward(self, x):
        q = x.flatten(2).transpose(1, 2)
        v = q[..., :2]
        if self.spelled_out:
            return (q @ q.transpose(1, 2)).softmax(-1) @ v
        return nn.functional.scaled_dot_product_attention(q, q, v)


def test_attention_in_one_operation_counts_as_two_products():
    one, two = complexity(Attention(False), size=4), complexity(Attention(True), size=4)
    assert one == two and one.flops == 16 * 16 * (3 + 2)


def test_the_model_is_left_as_it_is():
    model = esr_kernels.accelerate(models.SPAN(8).eval())
    counts = complexity(model, size=32)
    assert counts == complexity(models.SPAN(8), size=32) and counts.convolutions == 22
    assert "forward" in model.__dict__ and not any(m._forward_hooks for m in model.modules())


def test_without_fvcore(monkeypatch):
    real = builtins.__import__

    def missing(name, *args, **kwargs):
        if name.startswith("fvcore"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ValueError, match="pip install fvcore"):
        complexity(Small())


def test_a_module_that_fails():
    with pytest.raises(ValueError, match="cannot follow Conv2d"):
        complexity(nn.Conv2d(4, 4, 3))
