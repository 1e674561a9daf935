"""CRAFT, the feature modulation transformer (team 34)."""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..blocks import (
    SRWAB,
    ChannelCrossAttention,
    ChannelLayerNorm,
    GatedFFN,
    check_picture,
    conv1x1,
    conv3x3,
    pad_to_multiple,
    pixel_shuffle_upsampler,
    register_mean,
)
from ..network import Network, Shapes, Upscaler
from ..shapes import blocks, scale_and_channels, vote

HEADS = 6
MULTIPLE = 16
EPS = 1e-5


class CRAFT(Upscaler):
    """Cross-Refinement Adaptive Feature modulation Transformer.

    ``F0 = conv_first(x - mean)``, then ``groups`` times ``X = conv(blocks(X)) + X``; the output is
    ``mean`` added to the pixel shuffle of a last 3x3 convolution of
    ``conv_after_body(norm(X)) + F0``. A block computes ``low``, two window attentions, and
    ``high``, local maxima and edges, from Y, and fuses them by attention between channels over the
    whole picture. The picture is mirrored at the bottom and the right up to a multiple of 16. The
    challenge's network is ``CRAFT()``: 753 344 parameters.

    Args:
        width: Channels of the backbone.
        data_range: The number that x is multiplied by and the output divided by. The weights were
            trained in [0, 1], so the default is 1. The challenge's own test fed them [0, 255], for
            which they are 6 dB worse on a natural picture; ``data_range=255`` (the entry
            "craft-255") repeats that.

    Source: Li et al., "Feature Modulation Transformer: Cross-Refinement of Global Representation
    via High-Frequency Prior for Image Super-Resolution", 2023; NTIRE 2024 efficient SR report,
    section 4.28."""

    name = "craft"
    mean: Tensor
    min_size = MULTIPLE // 2 + 1  # mirroring adds fewer pixels than there are

    def __init__(
        self,
        width: int = 48,
        *,
        groups: int = 4,
        blocks: int = 2,
        scale: int = 4,
        data_range: float = 1.0,
    ):
        super().__init__(scale=scale, in_channels=3, out_channels=3, data_range=data_range)
        register_mean(self)
        self._register_unused()
        self.conv_first = conv3x3(3, width)
        self.layers = nn.ModuleList(CRAFTGroup(width, blocks) for _ in range(groups))
        self.norm = _channel_norm(width)
        self.conv_after_body = conv3x3(width, width)
        self.upsample = pixel_shuffle_upsampler(width, 3, scale)

    def _register_unused(self) -> None:
        # Pairs in a window of 64 and their 217 offsets: inputs of PositionBias that are never used.
        for letter in "hv":
            index = torch.zeros(64, 64, dtype=torch.int64)
            self.register_buffer(f"relative_position_index_{letter}", index)
            self.register_buffer(f"biases_{letter}", torch.zeros(217, 2))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, 3, H, W]`` in [0, 1] to ``[N, 3, scale*H, scale*W]``, not clamped.

        Raises:
            ValueError: H or W is below 9, or the rank or channel count is wrong.
        """
        x = check_picture(x, self.in_channels, self.min_size)
        height, width = x.shape[2] * self.scale, x.shape[3] * self.scale
        padded = pad_to_multiple(x * self.data_range, MULTIPLE, "reflect")
        first = self.conv_first(padded - self.mean)
        features = first
        for group in self.layers:
            features = group(features)
        y = self.upsample(self.conv_after_body(self.norm(features)) + first) + self.mean
        return y[:, :, :height, :width] / self.data_range


class CRAFTGroup(nn.Module):
    """Group of blocks: ``conv(blocks(X)) + X``."""

    def __init__(self, width: int, blocks: int):
        super().__init__()
        self.residual_group = CRAFTBlocks(width, blocks)
        self.conv = conv3x3(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape, H and W multiples of 16."""
        return self.conv(self.residual_group(x)) + x


class CRAFTBlocks(nn.Module):
    """Blocks ``Y = fuse(low(Y), high(Y))``; ``low`` is two SRWABs, the second shifted."""

    def __init__(self, width: int, blocks: int):
        super().__init__()
        self.srwa_blocks = nn.ModuleList(
            SRWAB(width, HEADS, shifted=i % 2 == 1) for i in range(2 * blocks)
        )
        self.hfer_blocks = nn.ModuleList(HFERB(width) for _ in range(blocks))
        self.hf_blocks = nn.ModuleList(HFB(width) for _ in range(blocks))

    def forward(self, y: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        for i, (high, fuse) in enumerate(zip(self.hfer_blocks, self.hf_blocks, strict=True)):
            low = self.srwa_blocks[2 * i + 1](self.srwa_blocks[2 * i](y))
            y = fuse(low, high(y))
        return y


class HFERB(nn.Module):
    """High-frequency enhancement residual block: ``u + last_fc(cat(a, b))``.

    ``a = gelu(conv(u1))``, 3x3, and ``b = gelu(fc(max_pool(u2)))``, 1x1 of the largest of 3 x 3
    pixels; u1, u2 are the halves of u.
    """

    def __init__(self, width: int):
        super().__init__()
        self.conv = conv3x3(width // 2, width // 2)
        self.fc = conv1x1(width // 2, width // 2)
        self.last_fc = conv1x1(width, width)

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        u1, u2 = u.chunk(2, dim=1)
        a = F.gelu(self.conv(u1))
        b = F.gelu(self.fc(F.max_pool2d(u2, 3, stride=1, padding=1)))
        return u + self.last_fc(torch.cat([a, b], 1))


class HFB(nn.Module):
    """Hybrid fusion block: ``r = low + attn(high, norm1(low))``, then ``r + ffn(norm2(r))``."""

    def __init__(self, width: int):
        super().__init__()
        self.norm1 = _channel_norm(width)
        self.attn = ChannelCrossAttention(width, HEADS)
        self.norm2 = _channel_norm(width)
        self.ffn = GatedFFN(width, int(2.66 * width), F.gelu)

    def forward(self, low: Tensor, high: Tensor) -> Tensor:
        """Map two ``[N, C, H, W]`` to one."""
        r = low + self.attn(high, self.norm1(low))
        return r + self.ffn(self.norm2(r))


def _channel_norm(width: int) -> nn.Sequential:
    return nn.Sequential(OrderedDict(body=ChannelLayerNorm(width, EPS)))


def _detect(shapes: Shapes) -> dict | None:
    part = r"layers\.\d+\.residual_group\.srwa_blocks\.\d+\."
    width = vote(shapes, part + r"proj\.weight", 0)
    if width is None:
        return None
    scale, _ = scale_and_channels(shapes, "upsample.0.weight", 3)
    return {
        "width": width,
        "groups": blocks(shapes, r"layers\.(\d+)\.") + 1,
        "blocks": blocks(shapes, r"layers\.\d+\.residual_group\.hf_blocks\.(\d+)\.") + 1,
        "scale": scale,
    }


NETWORK = Network(
    name="craft",
    title="Cross-Refinement Adaptive Feature Modulation Transformer",
    paper='Li et al., "Feature Modulation Transformer: Cross-Refinement of Global Representation '
    'via High-Frequency Prior for Image Super-Resolution", 2023',
    build=CRAFT,
    detect=_detect,
)
