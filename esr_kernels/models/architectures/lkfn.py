"""LKFN, the large-kernel frequency-enhanced network (team 03)."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..backbones.dense_feature_fusion import DenseFeatureFusion
from ..blocks import BSConv, Distillation, FourierAttention, PixelLayerNorm, conv1x1, depthwise
from ..network import Network, Shapes
from ..reparam import fold_repeated_input
from ..shapes import blocks, scale_and_channels, size, vote

DILATIONS = (1, 1, 3)


class LKFN(DenseFeatureFusion):
    """Large Kernel Frequency-enhanced Network.

    ``F0 = fea_conv(cat(x, x, x, x))``, then ``blocks`` times LKFB, ``L = c2(gelu(c1(cat(F1, F2,
    ...)))) + F0`` with c1 1x1 and fea_conv, c2 blueprint-separable, and the output is the pixel
    shuffle of a last 3x3 convolution of L. Each pixel depends on the whole picture.

    The challenge's network is ``LKFN()``: 89 676 parameters. A loaded network takes one copy,
    with its weights summed over the four.

    Args:
        width: Channels of the backbone, half of them distilled.
        hidden: Channels inside the Fourier attention.
        copies: The number of copies of x in ``cat(x, x, x, x)``.

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
        """Concatenate the copies of x: ``[N, 3, H, W]`` to ``[N, 3 * copies, H, W]``."""
        return torch.cat([x] * self.copies, 1)

    def inference_form(self) -> "LKFN":
        """Return a copy whose first convolution takes the picture once."""
        folded = copy.deepcopy(self)
        first = self.fea_conv.pw
        folded.fea_conv.pw = fold_repeated_input(first, self.copies)
        folded.copies = 1
        return folded


class LKFB(Distillation):
    """Distillation with large kernels and Fourier attention.

    ``pixel_norm(c6(atten(distilled(u)))) + u``: ``distilled`` is ``Distillation`` without
    residuals; its three layers are partial convolutions of 5x5, the third with dilation 3, and its
    last is blueprint-separable. c6 is 1x1, pixel_norm has epsilon 1e-5.

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
        """Map ``[N, width, H, W]`` to the same shape."""
        return self.pixel_norm(self.c6(self.atten(super().forward(u)))) + u


class PartialConv(nn.Module):
    """Convolution of one half of the channels: ``pw(cat(pdw(a), b))`` with a, b the halves.

    pdw is depthwise 5x5 with bias, pw 1x1 without.

    Source: NTIRE 2024 efficient SR report, section 4.7.
    """

    def __init__(self, width: int, dilation: int):
        super().__init__()
        self.pdw = depthwise(width // 2, 5, dilation=dilation)
        self.pw = conv1x1(width, width, bias=False)

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, width, H, W]`` to the same shape."""
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
