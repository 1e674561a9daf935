"""QuickSRNet, a plain stack of convolutions with clipped activations (team 11)."""

import copy
from collections import OrderedDict
from itertools import chain

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..blocks import check_picture, conv1x1, conv3x3
from ..network import Network, Shapes, Upscaler
from ..reparam import fold_repeated_input
from ..shapes import blocks, scale_and_channels, size, vote


class QuickSRNet(Upscaler):
    """QuickSRNet with a learned input-to-output anchor.

    ``h = cnn(cat(x, x, x, x))``, ``layers`` 3x3 convolutions of ``width`` channels, each followed
    by clip, to [0, 1]; the output is the pixel shuffle of ``clip(anchor(x) + conv_last(h))``,
    anchor 1x1, conv_last 3x3. So the output is in [0, 1].

    The challenge's network is ``QuickSRNet()``, the published size "large": 441 072 parameters.
    A loaded network takes one copy, with its weights summed over the four.

    Args:
        copies: The number of copies of x in ``cat(x, x, x, x)``.

    Source: Berger et al., "QuickSRNet: Plain Single-Image Super-Resolution Architecture for Faster
    Inference on Mobile Platforms", 2023; NTIRE 2024 efficient SR challenge, team 11.
    """

    name = "quicksrnet"

    def __init__(self, width: int = 64, *, layers: int = 12, copies: int = 4, scale: int = 4):
        super().__init__(scale=scale, in_channels=3, out_channels=3)
        self.copies = copies
        inputs = (3 * copies, *(layers - 1) * (width,))
        self.cnn = nn.Sequential(
            *chain.from_iterable(
                (conv3x3(channels, width), nn.Hardtanh(0, 1)) for channels in inputs
            )
        )
        self.conv_last = conv3x3(width, 3 * scale**2)
        self.anchor = nn.Sequential(OrderedDict(net=conv1x1(3, 3 * scale**2)))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, 3, H, W]`` in [0, 1] to ``[N, 3, scale*H, scale*W]`` in [0, 1].

        H and W may be any numbers from 1.

        Raises:
            ValueError: The rank or channel count is wrong, or the batch is empty.
        """
        x = check_picture(x, self.in_channels, self.min_size)
        h = self.cnn(torch.cat([x] * self.copies, 1))
        return F.pixel_shuffle((self.anchor(x) + self.conv_last(h)).clamp(0, 1), self.scale)

    def inference_form(self) -> "QuickSRNet":
        """Return a copy whose first convolution takes the picture once."""
        folded = copy.deepcopy(self)
        first = self.cnn[0]
        folded.cnn[0] = fold_repeated_input(first, self.copies)
        folded.copies = 1
        return folded


def _detect(shapes: Shapes) -> dict | None:
    width = vote(shapes, r"cnn\.\d+\.weight", 0)
    anchor = vote(shapes, r"anchor\.net\.(weight|bias)", 0)
    if width is None or anchor is None:
        return None
    scale, _ = scale_and_channels(shapes, "conv_last.weight", 3)
    return {
        "width": width,
        "layers": blocks(shapes, r"cnn\.(\d+)\.") // 2 + 1,
        "copies": size(shapes, "cnn.0.weight", 1, 12) // 3 or 4,
        "scale": scale,
    }


NETWORK = Network(
    name="quicksrnet",
    title="QuickSRNet, size large",
    paper='Berger et al., "QuickSRNet: Plain Single-Image Super-Resolution Architecture for Faster '
    'Inference on Mobile Platforms", 2023',
    build=QuickSRNet,
    detect=_detect,
)
