"""SRWAB: attention in wide and in tall windows, a block of CRAFT."""

import torch
from torch import Tensor, nn

from .convolution import depthwise
from .heads import merge_heads, split_heads
from .mlp import MLP
from .windows import from_windows, windows

WINDOWS = ((4, 16), (16, 4))  # rows x columns; each for half of the channels and heads


class SRWAB(nn.Module):
    """Shift rectangle window attention block: attention, then a feed-forward, each with a skip.

    ``t = x + proj(attention + get_v(v))``, then ``t + mlp(norm2(t))``, with q, k, v from
    ``qkv(norm1(x))``. One half of the channels attends in windows of 4 x 16 pixels, the other in 16
    x 4, with half of the heads each.

    Args:
        width: Channels of the block.
        heads: The number of heads.
        shifted: Roll q, k, v by half a window before, and the result back after. Windows across the
            border mix opposite sides, because the weights were trained without a mask.

    Source: Li et al., "Feature Modulation Transformer: Cross-Refinement of Global Representation
    via High-Frequency Prior for Image Super-Resolution", 2023.
    """

    def __init__(self, width: int, heads: int, *, shifted: bool):
        super().__init__()
        self.heads = heads // len(WINDOWS)
        self.shifted = shifted
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.attns = nn.ModuleList(
            nn.ModuleDict({"pos": PositionBias(self.heads)}) for _ in WINDOWS
        )
        self.get_v = depthwise(width)
        self.proj = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = MLP(width, 2 * width)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape, H and W multiples of 16."""
        t = x.movedim(1, -1)
        qkv = self.qkv(self.norm1(t)).movedim(-1, 1).unflatten(1, (3, len(WINDOWS), -1))
        parts = [self._attend(qkv[:, :, i].flatten(1, 2), *WINDOWS[i]) for i in (0, 1)]
        o = torch.cat(parts, 1) + self.get_v(qkv[:, 2].flatten(1, 2))
        t = t + self.proj(o.movedim(1, -1))
        return (t + self.mlp(self.norm2(t))).movedim(-1, 1)

    def _attend(self, qkv: Tensor, height: int, width: int) -> Tensor:
        shift = (height // 2, width // 2)
        if self.shifted:
            qkv = qkv.roll((-shift[0], -shift[1]), (2, 3))
        q, k, v = split_heads(windows(qkv, height, width), self.heads)
        scores = torch.softmax((q * q.shape[-1] ** -0.5) @ k.mT, -1)
        o = from_windows(merge_heads(scores @ v), height, width)
        return o.roll(shift, (2, 3)) if self.shifted else o


class PositionBias(nn.Module):
    """The published network from a pair's offset to its bias: parameters that are never used.

    Its LayerNorms are over one channel and so return their own bias, whatever the offset. The rest
    is one number for each head, which does not change the softmax.
    """

    def __init__(self, heads: int):
        super().__init__()
        self.pos_proj = nn.Linear(2, 1)
        for i, outputs in enumerate((1, 1, heads), start=1):
            self.add_module(
                f"pos{i}", nn.Sequential(nn.LayerNorm(1), nn.ReLU(), nn.Linear(1, outputs))
            )
