"""DIRN, RLFN with separable convolutions and involutions (team 19)."""

import copy

import torch.nn.functional as F
from torch import Tensor, nn

from ..blocks import (
    ContrastAttention,
    Involution,
    check_picture,
    conv1x1,
    conv3x3,
    depthwise,
    pixel_shuffle_upsampler,
)
from ..network import Network, Shapes, Upscaler
from ..reparam import fold_batch_norms
from ..shapes import scale_and_channels, vote

SLOPE = 0.05
LAYERS = ("SSS", "SSS", "SIS", "SIS", "ISI", "III")  # of each block: separable or involution
STAGES = (1, 2, 3, 4, 4, 4)  # block_5 and block_6 have weights, but the network was trained so


class DIRN(Upscaler):
    """DIRN: separable convolutions in the first blocks, involutions among them in the later ones.

    ``F0 = conv_1(x)``, then block_1, block_2, block_3 and three times block_4, ``L = conv_2(F) +
    F0``, and the output is the pixel shuffle of a last 3x3 convolution of L. block_5 and block_6
    are parts of the checkpoint that nothing reads.

    ``width``: channels of the trunk; ``groups``: of an involution; ``hidden``: channels that its
    kernels are made from; ``attention_hidden``: channels inside the attention; ``norm``: with batch
    norms, which are folded once it is loaded. The challenge's network is ``DIRN()``: 96 915
    parameters.

    Source: NTIRE 2024 efficient SR report, section 4.27.
    """

    name = "dirn"

    def __init__(
        self,
        width: int = 48,
        *,
        groups: int = 3,
        hidden: int = 12,
        attention_hidden: int = 3,
        norm: bool = True,
        scale: int = 4,
    ):
        super().__init__(scale=scale, in_channels=3, out_channels=3)

        def layer(kind: str) -> nn.Module:
            if kind == "I":
                return Involution(width, groups=groups, hidden=hidden, norm=norm)
            return SeparableConv(width, width)

        self.conv_1 = conv3x3(3, width)
        for i, kinds in enumerate(LAYERS, 1):
            block = DIRB(width, [layer(kind) for kind in kinds], attention_hidden, norm)
            self.add_module(f"block_{i}", block)
        self.conv_2 = conv3x3(width, width)
        self.upsampler = pixel_shuffle_upsampler(width, 3, scale)

    def forward(self, x: Tensor) -> Tensor:
        """``[N, 3, H, W]`` in [0, 1] -> ``[N, 3, scale*H, scale*W]``, not clamped.

        Any H, W from 1. Raises ``ValueError`` for a wrong rank, channel count or empty batch.
        """
        x = check_picture(x, self.in_channels, self.min_size)
        first = self.conv_1(x)
        features = first
        for i in STAGES:
            features = getattr(self, f"block_{i}")(features)
        return self.upsampler(self.conv_2(features) + first)

    def inference_form(self) -> "DIRN":
        """A copy with its batch norms folded into the convolutions before them."""
        folded = copy.deepcopy(self)
        fold_batch_norms(folded)
        return folded


class DIRB(nn.Module):
    """``c5(cca(r3)) + u``, where r3 is u after three layers, each activated with slope 0.05.

    ``layers``: the modules c1_r, c2_r, c3_r. c5 is 1x1, cca contrast attention with a batch norm
    if ``norm``.

    Source: NTIRE 2024 efficient SR report, section 4.27.
    """

    def __init__(self, width: int, layers: list[nn.Module], attention_hidden: int, norm: bool):
        super().__init__()
        self.c1_r, self.c2_r, self.c3_r = layers
        self.cca = ContrastAttention(width, attention_hidden, nn.LeakyReLU(SLOPE), norm=norm)
        self.c5 = conv1x1(width, width)

    def forward(self, u: Tensor) -> Tensor:
        """``[N, width, H, W]`` to the same."""
        r = u
        for layer in (self.c1_r, self.c2_r, self.c3_r):
            r = F.leaky_relu(layer(r), SLOPE)
        return self.c5(self.cca(r)) + u


class SeparableConv(nn.Sequential):
    """``pw(dw(x))``: depthwise 3x3 with bias, then 1x1 without; BSConv has them the other way."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.dw = depthwise(in_channels)
        self.pw = conv1x1(in_channels, out_channels, bias=False)


def _detect(shapes: Shapes) -> dict | None:
    involution = r"block_\d\.c\d_r\."
    hidden = vote(shapes, involution + r"conv1\.conv\.weight", 0)
    taps = vote(shapes, involution + r"conv2\.conv\.(weight|bias)", 0)
    width = vote(shapes, r"block_\d\.c5\.weight", 0)
    if hidden is None or taps is None or width is None:
        return None
    scale, _ = scale_and_channels(shapes, "upsampler.0.weight", 3)
    return {
        "width": width,
        "groups": taps // 9,
        "hidden": hidden,
        "attention_hidden": vote(shapes, r"block_\d\.cca\.conv_du\.0\.weight", 0) or 3,
        "norm": any(key.endswith(".running_mean") for key in shapes),
        "scale": scale,
    }


NETWORK = Network(
    name="dirn",
    title="DIRN",
    paper="NTIRE 2024 efficient SR challenge report, team 19, section 4.27",
    build=DIRN,
    detect=_detect,
)
