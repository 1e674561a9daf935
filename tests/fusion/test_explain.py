"""The report: every block has a line, and what is not fused says why."""

import torch
from lookalikes import BranchingRoot, PartlyBranching, SwiftNet
from torch import nn

import esr_kernels.fusion as fusion
from esr_kernels.models.architectures.dvmsr import DVMSR
from esr_kernels.models.architectures.rlfn import RLFN
from esr_kernels.models.architectures.span import SPAN


def lines(model):
    return {line.path: line for line in fusion.explain(model).lines}


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
