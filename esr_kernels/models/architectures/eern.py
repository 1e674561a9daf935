"""EERN, the efficient enhanced residual network (team 25)."""

import torch.nn.functional as F
from torch import Tensor, nn

from ..blocks import ESA, ESA_MIN_SIZE, check_picture, conv3x3
from ..network import Network, Shapes, Upscaler
from ..shapes import blocks, scale_and_channels, vote


class EERN(Upscaler):
    """Efficient Enhanced Residual Network.

    ``F0 = head(x)``, then ``blocks`` times ``esa(conv2(relu(conv1(F))))``, ``L = finetune(F) +
    F0``, and the output is the pixel shuffle of ``tail(L)``; all convolutions are 3x3.

    The weights were trained in 0..255. The challenge's network is ``EERN()``: 657 432 parameters.

    Args:
        width: Channels of the backbone.
        esa_hidden: Channels inside ESA.

    Source: NTIRE 2024 efficient SR report, section 4.23.
    """

    name = "eern"
    min_size = ESA_MIN_SIZE

    def __init__(self, width: int = 84, *, blocks: int = 4, esa_hidden: int = 21, scale: int = 4):
        super().__init__(scale=scale, in_channels=3, out_channels=3, data_range=255.0)
        self.head = conv3x3(3, width)
        self.recon_trunk = nn.Sequential(*(Block(width, esa_hidden) for _ in range(blocks)))
        self.finetune = conv3x3(width, width)
        self.tail = conv3x3(width, 3 * scale * scale)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, 3, H, W]`` in [0, 1] to ``[N, 3, scale*H, scale*W]``, not clamped.

        Raises:
            ValueError: H or W is below 15, or the rank or channel count is wrong.
        """
        x = check_picture(x, self.in_channels, self.min_size)
        first = self.head(x * self.data_range)
        features = self.finetune(self.recon_trunk(first)) + first
        return F.pixel_shuffle(self.tail(features), self.scale) / self.data_range


class Block(nn.Module):
    """Block of two 3x3 convolutions and ESA, without a skip: ``esa(conv2(relu(conv1(u))))``."""

    def __init__(self, width: int, esa_hidden: int):
        super().__init__()
        self.conv1 = conv3x3(width, width)
        self.conv2 = conv3x3(width, width)
        self.ESA = ESA(width, esa_hidden, side=False)

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to ``[N, C, H, W]``."""
        return self.ESA(self.conv2(F.relu(self.conv1(u))))


def _detect(shapes: Shapes) -> dict | None:
    width = vote(shapes, r"recon_trunk\.\d+\.conv[12]\.weight", 0)
    esa_hidden = vote(shapes, r"recon_trunk\.\d+\.ESA\.conv[123]\.weight", 0)
    if width is None or esa_hidden is None:
        return None
    scale, _ = scale_and_channels(shapes, "tail.weight", 3)
    return {
        "width": width,
        "blocks": 1 + blocks(shapes, r"recon_trunk\.(\d+)\."),
        "esa_hidden": esa_hidden,
        "scale": scale,
    }


NETWORK = Network(
    name="eern",
    title="Efficient Enhanced Residual Network",
    paper="NTIRE 2024 efficient SR challenge report, team 25, section 4.23",
    build=EERN,
    detect=_detect,
)
