"""RRDBNet, the generator of ESRGAN and Real-ESRGAN (team 48)."""

import dataclasses
import functools
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..blocks import check_picture, conv3x3, pad_to_multiple
from ..network import Network, Shapes, Upscaler
from ..shapes import blocks, size, vote

SLOPE = 0.2
RESIDUAL_SCALE = 0.2
OWN_SCALE = 4  # by the network itself, after any unshuffling

# Parts of the keys here (ESRGAN's) and in BasicSR's checkpoints, Real-ESRGAN's among them.
SPELLINGS = (
    ("RRDB_trunk", "body"),
    ("RDB", "rdb"),
    ("trunk_conv", "conv_body"),
    ("upconv", "conv_up"),
    ("HRconv", "conv_hr"),
)


class RRDBNet(Upscaler):
    """Residual-in-Residual Dense Block Network.

    ``F0 = conv_first(x)``, ``F = F0 + trunk_conv(RRDB_trunk(F0))``, then
    ``F = lrelu(upconv(up2(F)))`` with upconv1 and with upconv2, where ``up2`` is nearest neighbour,
    and the output is ``conv_last(lrelu(HRconv(F)))``. All are 3x3 convolutions; slope 0.2.

    The challenge's network is ``RRDBNet()``: 16 697 987 parameters; its weights were never
    released.

    Args:
        width: Channels of the backbone.
        growth: Channels that each convolution of a dense block adds.
        scale: 4, or 2 or 1, for which the pixels of x are first unshuffled by 2 or 4, after
            mirroring at the bottom and the right up to a multiple.

    Source: Wang et al., "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks", 2018;
    scales 2 and 1: Wang et al., "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure
    Synthetic Data", 2021; NTIRE 2024 efficient SR report, section 4.29.
    """

    name = "rrdbnet"

    def __init__(
        self,
        width: int = 64,
        *,
        growth: int = 32,
        blocks: int = 23,
        scale: int = 4,
        in_channels: int = 3,
        out_channels: int = 3,
    ):
        if scale not in (4, 2, 1):
            raise ValueError(f"RRDBNet enlarges pictures 4, 2 or 1 times, not {scale}")
        super().__init__(scale=scale, in_channels=in_channels, out_channels=out_channels)
        self.factor = OWN_SCALE // scale
        self.min_size = self.factor // 2 + 1  # mirroring adds fewer pixels than there are
        # In the order of the keys, so that a seed gives the same weights as in other programs.
        self.conv_first = conv3x3(in_channels * self.factor**2, width)
        self.RRDB_trunk = nn.Sequential(*(RRDB(width, growth) for _ in range(blocks)))
        self.trunk_conv = conv3x3(width, width)
        self.upconv1 = conv3x3(width, width)
        self.upconv2 = conv3x3(width, width)
        self.HRconv = conv3x3(width, width)
        self.conv_last = conv3x3(width, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, Cin, H, W]`` in [0, 1] to ``[N, Cout, scale*H, scale*W]``, not clamped.

        H and W must be at least 1; 2 with scale 2, 3 with scale 1.

        Raises:
            ValueError: H or W is too small, the rank or channel count is wrong, or the batch is
                empty.
        """
        x = check_picture(x, self.in_channels, self.min_size)
        if self.factor == 1:
            return self._enlarge(x)
        height, width = x.shape[2] * self.scale, x.shape[3] * self.scale
        padded = pad_to_multiple(x, self.factor, "reflect")
        return self._enlarge(F.pixel_unshuffle(padded, self.factor))[:, :, :height, :width]

    def _enlarge(self, x: Tensor) -> Tensor:
        first = self.conv_first(x)
        features = first + self.trunk_conv(self.RRDB_trunk(first))
        for conv in (self.upconv1, self.upconv2):
            features = _act(conv(F.interpolate(features, scale_factor=2, mode="nearest")))
        return self.conv_last(_act(self.HRconv(features)))


class RRDB(nn.Module):
    """Residual-in-residual dense block: ``0.2 * RDB3(RDB2(RDB1(u))) + u``."""

    def __init__(self, width: int, growth: int):
        super().__init__()
        self.RDB1 = RDB(width, growth)
        self.RDB2 = RDB(width, growth)
        self.RDB3 = RDB(width, growth)

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        return RESIDUAL_SCALE * self.RDB3(self.RDB2(self.RDB1(u))) + u


class RDB(nn.Module):
    """Dense block: ``0.2 * conv5(cat(u, a1, a2, a3, a4)) + u``.

    Each ``ak`` is ``lrelu(convk(.))`` of u and all before it.
    """

    def __init__(self, width: int, growth: int):
        super().__init__()
        self.conv1 = conv3x3(width, growth)
        self.conv2 = conv3x3(width + growth, growth)
        self.conv3 = conv3x3(width + 2 * growth, growth)
        self.conv4 = conv3x3(width + 3 * growth, growth)
        self.conv5 = conv3x3(width + 4 * growth, width)

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        a1 = _act(self.conv1(u))
        a2 = _act(self.conv2(torch.cat([u, a1], 1)))
        a3 = _act(self.conv3(torch.cat([u, a1, a2], 1)))
        a4 = _act(self.conv4(torch.cat([u, a1, a2, a3], 1)))
        return RESIDUAL_SCALE * self.conv5(torch.cat([u, a1, a2, a3, a4], 1)) + u


def _act(x: Tensor) -> Tensor:
    return F.leaky_relu(x, SLOPE)


def _basicsr_key(key: str) -> str:
    for here, there in SPELLINGS:
        key = key.replace(here, there)
    return key


def _detect(shapes: Shapes, spelled: Callable[[str], str] = str) -> dict | None:
    growth = vote(shapes, spelled(r"RRDB_trunk\.\d+\.RDB\d\.conv[1-4]\.weight"), 0)
    width = vote(shapes, spelled(r"RRDB_trunk\.\d+\.RDB\d\.conv5\.weight"), 0)
    if growth is None or width is None:
        return None
    out_channels = size(shapes, "conv_last.weight", 0, 3)
    inputs = size(shapes, "conv_first.weight", 1, out_channels)
    factor = math.isqrt(inputs // out_channels)
    if factor not in (1, 2, 4) or out_channels * factor**2 != inputs:
        factor = 1
    return {
        "width": width,
        "growth": growth,
        "blocks": blocks(shapes, spelled(r"RRDB_trunk\.(\d+)\.")) + 1,
        "scale": OWN_SCALE // factor,
        "in_channels": inputs // factor**2,
        "out_channels": out_channels,
    }


NETWORK = Network(
    name="rrdbnet",
    title="Residual-in-Residual Dense Block Network",
    paper='Wang et al., "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks", 2018',
    build=RRDBNet,
    detect=_detect,
)

REAL_ESRGAN = dataclasses.replace(
    NETWORK,
    title="Residual-in-Residual Dense Block Network with the keys of Real-ESRGAN",
    paper='Wang et al., "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure '
    'Synthetic Data", 2021',
    detect=functools.partial(_detect, spelled=_basicsr_key),
    key=_basicsr_key,
)
