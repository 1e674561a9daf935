"""PFDNLite, the light partial feature distillation network (team 01)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..blocks import check_picture, conv1x1, conv3x3, partial_conv
from ..network import Network, Shapes, Upscaler
from ..shapes import scale_and_channels, vote

POOL = 7


class PFDNLite(Upscaler):
    """Light Partial Feature Distillation Network.

    ``F = head(x)``, then block1 to block4, of which the middle two are pruned; the output is the
    pixel shuffle of ``tail(F) + S``, a 3x3 convolution and each channel of x ``scale * scale``
    times: x, upscaled by nearest neighbour, is added.

    The challenge's network is ``PFDNLite()``: 218 288 parameters.

    Args:
        width: Channels of the backbone.
        partial: Channels that a block convolves once more.
        hidden: Channels inside ESA.

    Source: NTIRE 2024 efficient SR report, section 4.3.
    """

    name = "pfdn"
    min_size = POOL

    def __init__(self, width: int = 48, *, partial: int = 24, hidden: int = 16, scale: int = 4):
        super().__init__(scale=scale, in_channels=3, out_channels=3)
        self.head = conv3x3(3, width)
        self.block1 = PFDB(width, partial, hidden)
        self.block2 = PrunedPFDB(width, partial, hidden)
        self.block3 = PrunedPFDB(width, partial, hidden)
        self.block4 = PFDB(width, partial, hidden)
        self.tail = nn.Sequential(conv3x3(width, 3 * scale**2))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, 3, H, W]`` in [0, 1] to ``[N, 3, scale*H, scale*W]``, not clamped.

        Raises:
            ValueError: H or W is below 7, or the rank or channel count is wrong.
        """
        x = check_picture(x, self.in_channels, self.min_size)
        features = self.block2(self.block1(self.head(x)))
        features = self.block4(self.block3(features))
        upscaled = x.repeat_interleave(self.scale**2, dim=1)
        return F.pixel_shuffle(self.tail(features) + upscaled, self.scale)


class PFDB(nn.Module):
    """Partial feature distillation block: ``silu(conv3(p')) + t``, ``t = attn(u)``.

    ``p = silu(conv1(t))``, and p' is p with its first ``partial`` channels put through
    ``silu(conv2(.))``. All are 3x3 convolutions.
    """

    def __init__(self, width: int, partial: int, hidden: int):
        super().__init__()
        self.attn = LocalAttention(width, hidden)
        self.conv1 = conv3x3(width, width)
        self.conv2 = conv3x3(partial, partial)
        self.conv3 = conv3x3(width, width)

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        t = self.attn(u)
        p = partial_conv(F.silu(self.conv1(t)), self.conv2, F.silu)
        return F.silu(self.conv3(p)) + t


class PrunedPFDB(nn.Module):
    """PFDB with one convolution less: ``silu(conv3(p')) + t``, ``t = attn(u)``.

    p' is t with ``silu(conv1(t))`` for its first ``partial`` channels.
    """

    def __init__(self, width: int, partial: int, hidden: int):
        super().__init__()
        self.attn = LocalAttention(width, hidden)
        self.conv1 = conv3x3(width, partial)
        self.conv3 = conv3x3(width, width)

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        t = self.attn(u)
        return F.silu(self.conv3(partial_conv(t, self.conv1, F.silu))) + t


class LocalAttention(nn.Module):
    """Attention from the importance of a region and a gate for each pixel.

    ``up(body(u)) * sigmoid(u[0]) * u``: body is 1x1 to ``hidden`` channels, max-pool 7x7 with
    stride 3, 3x3 with stride 2 and zero padding, 3x3 back and a sigmoid, on the small map; ``up``
    is bilinear to u's own size; u[0] is the first channel. H and W are at least 7.
    """

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.body = nn.Sequential(
            conv1x1(channels, hidden),
            nn.MaxPool2d(POOL, stride=3),
            nn.Conv2d(hidden, hidden, 3, stride=2, padding=1),
            conv3x3(hidden, channels),
            nn.Sigmoid(),
        )

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        importance = F.interpolate(
            self.body(u), size=u.shape[-2:], mode="bilinear", align_corners=False
        )
        return importance * torch.sigmoid(u[:, :1]) * u


def _detect(shapes: Shapes) -> dict | None:
    width = vote(shapes, r"block\d\.attn\.body\.0\.weight", 1)
    hidden = vote(shapes, r"block\d\.attn\.body\.0\.weight", 0)
    partial = vote(shapes, r"block[14]\.conv2\.(weight|bias)|block[23]\.conv1\.(weight|bias)", 0)
    if width is None or hidden is None or partial is None:
        return None
    scale, _ = scale_and_channels(shapes, "tail.0.weight", 3)
    return {"width": width, "partial": partial, "hidden": hidden, "scale": scale}


NETWORK = Network(
    name="pfdn",
    title="Light Partial Feature Distillation Network",
    paper="NTIRE 2024 efficient SR challenge report, team 01, section 4.3",
    build=PFDNLite,
    detect=_detect,
)
