"""LKFN, the large-kernel frequency-enhanced network (team 03)."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..blocks import BSConv, Distillation, FourierAttention, PixelLayerNorm, conv1x1, depthwise
from ..network import Network, Shapes
from ..reparam import fold_repeated_input
from ..shapes import blocks, scale_and_channels, size, vote
from .dense_feature_fusion import ConcatTrunk

DILATIONS = (1, 1, 3)


class LKFN(ConcatTrunk):
    """Large Kernel Frequency-enhanced Network.

    ``F0 = fea_conv(cat(x, x, x, x))``, then ``blocks`` times LKFB, ``L = c2(gelu(c1(cat(F1, F2,
    ...)))) + F0`` with c1 1x1 and fea_conv, c2 blueprint-separable, and the output is the pixel
    shuffle of a last 3x3 convolution of L. Each pixel depends on the whole picture.

    ``width``: channels of the trunk, half of them distilled; ``hidden``: channels inside the
    Fourier attention; ``copies``: of the picture, in ``cat(x, x, x, x)``. The challenge's network
    is ``LKFN()``: 89 676 parameters. Loaded, it takes one copy, its weights summed over the four.

    Source: NTIRE 2024 efficient SR report, section 4.7.
    """

    name = "lkfn"

    def __init__(
        self,
        width: int = 28,
        *,
        blocks: int = 8,
        hidden: int = 14,
        copies: int = 4,
        scale: int = 4,
    ):
        parts = [LKFB(width, hidden) for _ in range(blocks)]
        super().__init__(width, parts, scale=scale, centred=False)
        self.copies = copies
        self.fea_conv = BSConv(3 * copies, width)  # type: ignore[assignment]
        self.c2 = BSConv(width, width)

    def enter(self, x: Tensor) -> Tensor:
        """``cat(x, x, ...)``: ``[N, 3, H, W]`` to ``[N, 3 * copies, H, W]``."""
        return torch.cat([x] * self.copies, 1)

    def inference_form(self) -> "LKFN":
        """A copy whose first convolution takes the picture once."""
        folded = copy.deepcopy(self)
        first = self.fea_conv.pw
        folded.fea_conv.pw = fold_repeated_input(first, self.copies)  # type: ignore[arg-type]
        folded.copies = 1
        return folded


class LKFB(Distillation):
    """``pixel_norm(c6(atten(trunk(u)))) + u``: distillation with large kernels, Fourier attention.

    The trunk's three layers are partial convolutions of 5x5, the third with dilation 3, without
    residuals, its last is blueprint-separable; c6 is 1x1, pixel_norm has epsilon 1e-5.

    Source: NTIRE 2024 efficient SR report, section 4.7.
    """

    def __init__(self, width: int, hidden: int):
        super().__init__(
            width,
            refine=[PartialConv(width, dilation) for dilation in DILATIONS],
            last=BSConv(width, width // 2),
            act=F.gelu,
            residual=False,
        )
        self.atten = FourierAttention(width, hidden)
        self.c6 = conv1x1(width, width)
        self.pixel_norm = PixelLayerNorm(width, eps=1e-5)

    def forward(self, u: Tensor) -> Tensor:
        """``[N, width, H, W]`` to the same."""
        return self.pixel_norm(self.c6(self.atten(super().forward(u)))) + u


class PartialConv(nn.Module):
    """``pw(cat(pdw(a), b))`` with a, b the halves of the channels: only a is convolved in space.

    pdw is depthwise 5x5 with bias, pw 1x1 without.

    Source: NTIRE 2024 efficient SR report, section 4.7.
    """

    def __init__(self, width: int, dilation: int):
        super().__init__()
        self.pdw = depthwise(width // 2, 5, dilation=dilation)
        self.pw = conv1x1(width, width, bias=False)

    def forward(self, u: Tensor) -> Tensor:
        """``[N, width, H, W]`` to the same."""
        a, b = u.chunk(2, dim=1)
        return self.pw(torch.cat([self.pdw(a), b], 1))


def _detect(shapes: Shapes) -> dict | None:
    width = vote(shapes, r"B\d+\.c\d_r\.pw\.weight", 0)
    hidden = vote(shapes, r"B\d+\.atten\.conv_layer[12]\.weight", 0)
    if width is None or hidden is None:
        return None
    scale, _ = scale_and_channels(shapes, "upsampler.0.weight", 3)
    return {
        "width": width,
        "blocks": blocks(shapes, r"B(\d+)\."),
        "hidden": hidden,
        "copies": size(shapes, "fea_conv.pw.weight", 1, 12) // 3 or 4,
        "scale": scale,
    }


NETWORK = Network(
    name="lkfn",
    title="Large Kernel Frequency-enhanced Network",
    paper="NTIRE 2024 efficient SR challenge report, team 03, section 4.7",
    build=LKFN,
    detect=_detect,
)
