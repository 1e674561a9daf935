"""The report: every block has a line, and what is not fused says why."""

import copy
from collections import Counter

import pytest
import torch
from lookalikes import BranchingRoot, PartlyBranching, SwiftNet
from torch import nn

import esr_kernels.fusion as fusion
from esr_kernels.backends import cpu
from esr_kernels.fusion import timing
from esr_kernels.models.architectures.dvmsr import DVMSR
from esr_kernels.models.architectures.rlfn import RLFN
from esr_kernels.models.architectures.span import SPAN

built = pytest.mark.skipif(cpu._C is None, reason="esr_kernels._C is not built")


@pytest.fixture(autouse=True)
def no_time(monkeypatch):
    monkeypatch.setattr(timing, "LIMIT_S", 0.0)


def lines(model, *inputs):
    return {line.path: line for line in fusion.explain(model, *inputs).lines}


class Spectral(nn.Module):
    """Two programs, what torch computes between them, and a convolution that no op is."""

    def __init__(self, width: int = 16):
        super().__init__()
        self.head = nn.Sequential(*self.pair(3, width))
        self.sparse = nn.Conv2d(width, width, 3, padding=3)
        self.tail = nn.Sequential(*self.pair(width, 12), nn.PixelShuffle(2))

    @staticmethod
    def pair(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
        convolutions = (nn.Conv2d(a, outputs, 3, padding=1) for a in (inputs, outputs))
        return next(convolutions), nn.SiLU(), next(convolutions)

    def forward(self, x):
        x = self.head(x)
        x = torch.fft.irfft2(torch.fft.rfft2(x), s=x.shape[-2:])
        return self.tail(self.sparse(x)[..., 2:-2, 2:-2])


def test_span_block_by_block():
    model = fusion.accelerate(SPAN(12, training_form=True).eval())
    found = lines(model)
    assert all(found[f"block_{i}"].what == "spab" for i in range(1, 7))
    assert found["conv_1"].what == "conv_act" and found["upsampler"].what == "conv3x3_pixel_shuffle"
    assert found["block_1"].backend in ("cpu", "reference")
    text = str(fusion.explain(model))
    assert text.startswith("accelerated, float32 on cpu\n") and "block_3" in text


def test_rlfn_names_its_attention():
    found = lines(fusion.accelerate(RLFN(8, mid=9, blocks=2, esa_hidden=4).eval()))
    assert found["block_2.esa"].what == "esa" and "residual" in found["conv_2"].detail


def test_dvmsr_has_its_scans_beside_its_convolutions():
    """More scans than convolutions: what those read is no picture for the others to go by."""
    found = fusion.explain(fusion.accelerate(DVMSR(8, groups=1, blocks=6).eval())).lines
    scans = [line for line in found if line.what == "selective_scan"]
    assert [n.path for n in scans] == [
        f"layers.0.residual_group.blocks.{i}.mixer" for i in range(6)
    ]
    assert {n.detail for n in scans} == {"16 channels, 16 states each"}
    convolutions = [n for n in found if n.what == "conv_act" and "mixer" not in n.path]
    assert len(convolutions) == 3
    assert len({line.backend for line in [*scans, *convolutions]}) == 1


def test_a_model_that_is_not_accelerated_is_examined_only():
    model = SwiftNet(6).eval()
    assert "not accelerated yet" in fusion.explain(model).title
    assert lines(model)["body.1"].what == "spab" and "forward" not in vars(model)


def test_reasons():
    found = lines(fusion.accelerate(PartlyBranching().eval()))
    assert found["odd"].what == "as it is" and "depends on values" in found["odd"].detail
    model = fusion.accelerate(BranchingRoot().eval())
    assert "depends on values" in fusion.explain(model).title
    assert lines(model)["tail.0 + tail.1"].what == "conv3x3_pixel_shuffle"
    model = fusion.accelerate(nn.Sequential(nn.Conv2d(3, 4, 5), nn.Softmax2d()).eval())
    assert "nothing in it fits" in fusion.explain(model).title
    assert lines(model)["0"].detail == "conv2d"
    assert "no parameters" in fusion.explain(fusion.accelerate(nn.ReLU())).title


def test_reasons_follow_the_model():
    model = fusion.accelerate(SwiftNet(6).eval())
    assert "float32" in fusion.explain(model).title
    assert "float64" in fusion.explain(model.double()).title
    half = fusion.accelerate(SwiftNet(6).eval(), compute_dtype=torch.bfloat16)
    assert "bfloat16" in fusion.explain(half).title


def test_what_torch_computes_is_not_called_accelerated():
    alone = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU()).eval()  # left to torch on a CPU
    model = fusion.accelerate(alone)
    assert fusion.explain(model).title.startswith("not accelerated: torch computes all of its ops")

    class Root(BranchingRoot):
        def __init__(self):
            super().__init__()
            self.tail = nn.Sequential(nn.Conv2d(8, 12, 1), nn.PixelShuffle(2))

    root = fusion.accelerate(Root().eval())
    assert "forward" in vars(root.head) and "forward" not in vars(root.tail)


def test_the_missing_word_is_named():
    model = fusion.accelerate(Spectral().eval())
    found = {line.detail: line.why for line in fusion.explain(model).lines if line.what == "torch"}
    assert found == {
        "fft_rfft2, fft_irfft2": "no op computes this",
        "conv2d": "no op computes this with 16x16x3x3, (1, 1), (3, 3), (1, 1), 1",
    }
    assert "fft_rfft2, fft_irfft2: no op computes this" in str(fusion.explain(model))
    model = fusion.accelerate(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.RReLU()).eval())
    (line,) = (line for line in fusion.explain(model).lines if line.what == "torch")
    assert (line.path, line.detail, line.why) == ("1", "RReLU", "no op computes this")


def test_one_word_of_several_may_be_known():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Conv2d(3, 8, 3, padding=1)

        def forward(self, x):
            return torch.cumsum(self.head(x).flatten(2), -1) * 2

    (line,) = (n for n in fusion.explain(Tokens().eval()).lines if n.what == "torch")
    assert line.why == "no op computes this (mul on 3 axes)"


@built
def test_an_op_that_torch_computes_has_a_reason(monkeypatch):
    def why(model):
        found = fusion.explain(fusion.accelerate(model.eval())).lines
        return {line.why for line in found if line.backend == "reference"}

    pointwise = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU())
    assert why(pointwise) == {"it does not repay the way into a program"}
    large = nn.Sequential(nn.Conv2d(8, 3 * 81, 3, padding=1), nn.PixelShuffle(9))
    assert why(copy.deepcopy(large)) <= {"a step enlarges at most 8 times"}
    assert why(large.double()) == {"float64 is left to torch"}
    monkeypatch.setenv("ESR_KERNELS_BACKEND", "reference")
    assert why(SPAN(12, training_form=True)) == {"no other backend is allowed"}


@built
def test_the_memory_format_of_what_torch_computes_is_said():
    def formats(model):
        found = fusion.explain(fusion.accelerate(model.eval())).lines
        return [line for line in found if line.what == "channels_last"]

    down = nn.Conv2d(16, 16, 4, 4)
    network = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), down, nn.Conv2d(16, 3, 3, padding=1))
    assert len(formats(network)) == 1 and not formats(Spectral())
    assert not formats(SPAN(12, training_form=True))


@built
def test_shares_of_time():
    model, x = fusion.accelerate(Spectral().eval()), torch.rand(1, 3, 20, 24)
    plain = fusion.explain(model)
    assert not any(line.program or line.share for line in plain.lines)
    assert " ms" not in str(plain) and "program" not in str(plain)
    with torch.inference_mode():
        before = model(x)
    report = fusion.explain(model, x)
    with torch.inference_mode():
        assert torch.equal(model(x), before)

    *found, rest = report.lines
    assert [(n.path, n.what, n.detail) for n in found] == [
        (n.path, n.what, n.detail) for n in plain.lines
    ]
    assert rest.what == "the rest" and report.time_ms > 0
    shares = [line.share for line in report.lines if line.share is not None]
    assert sum(shares) == pytest.approx(1) and min(shares) >= 0
    assert Counter(line.program for line in found if line.program) == {1: 2, 2: 2}
    timed = [line.program for line in found if line.share is not None]
    assert timed.count(1) == timed.count(2) == 1
    assert all(line.share for line in found if line.what == "torch")
    assert f"{report.time_ms:.1f} ms" in str(report) and "cpu, program 2" in str(report)


def test_parts_of_what_cannot_be_followed_have_shares():
    x = torch.rand(1, 3, 16, 18)
    found = lines(fusion.accelerate(BranchingRoot().eval()), x)
    assert found["tail.0 + tail.1"].share > 0 and found[""].what == "the rest"
    assert sum(line.share for line in found.values()) == pytest.approx(1)
    found = fusion.explain(fusion.accelerate(PartlyBranching().eval()), x).lines
    (odd,) = (line for line in found if line.what == "as it is")
    assert odd.path == "odd" and odd.share > 0
    assert sum(line.share or 0 for line in found) == pytest.approx(1)


def test_a_module_of_several_results_has_a_line():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.head, self.both = nn.Conv2d(3, 8, 3, padding=1), Both()

        def forward(self, x):
            both = self.both(self.head(x))
            return both[0] + both[1]

    class Both(nn.Module):
        def forward(self, x):
            return (x, -x) if x.sum() > 0 else (-x, x)

    found = lines(fusion.accelerate(Twice().eval()), torch.rand(1, 3, 16, 18))
    assert found["both"].what == "as it is" and found["both"].share > 0


def test_what_is_timed_stays_what_it_is():
    model, x = SwiftNet(6).eval(), torch.rand(1, 3, 16, 18)
    report = fusion.explain(model, x)
    assert "not accelerated yet" in report.title and report.time_ms > 0
    assert "forward" not in vars(model)

    class InPlace(SwiftNet):
        def forward(self, x):
            return super().forward(x.mul_(0.5))

    before = x.clone()
    fusion.explain(fusion.accelerate(InPlace(6).eval()), x)
    assert torch.equal(x, before)


def test_the_plan_of_the_picture_is_the_one_that_is_shown():
    class Padded(SwiftNet):
        def forward(self, x):
            return super().forward(nn.functional.pad(x, (0, 1)) if x.shape[-1] % 2 else x)

    model = fusion.accelerate(Padded(6).eval())
    for width in (16, 17):
        report = fusion.explain(model, torch.rand(1, 3, 16, width))
        assert any("pad" in line.detail for line in report.lines) == bool(width % 2)
        assert sum(line.share or 0 for line in report.lines) == pytest.approx(1)
        assert max(line.share or 0 for line in report.lines[:-1]) > 0


def test_wrong_inputs():
    model = fusion.accelerate(SwiftNet(6).eval())
    with pytest.raises(TypeError, match="inputs are tensors"):
        fusion.explain(model, "a picture")
    with pytest.raises(ValueError, match="does not take these inputs"):
        fusion.explain(model, torch.rand(1, 5, 16, 16))
    with pytest.raises(ValueError, match="training mode"):
        fusion.explain(model.train(), torch.rand(1, 3, 16, 16))
