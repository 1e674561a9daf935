"""Attention in square windows by the cosine between queries and keys, and its mask."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import handle_torch_function, has_torch_function_unary

from .heads import merge_heads, split_heads
from .windows import windows

MAX_SCALE = 100.0
MASKED = -100.0


class CosineAttention(nn.Module):
    """``proj(softmax(scale * cos(q, k) + bias + mask) v)`` among the pixels of a window.

    ``scale = min(exp(logit_scale), 100)``, one for each head; ``bias`` is read from a table with a
    row for each offset between two pixels of a ``window`` x ``window`` square. A head has
    ``width // heads`` channels: where that leaves a rest, attention is narrower than ``width``.

    Source: Liu et al., "Swin Transformer V2: Scaling Up Capacity and Resolution", 2022, with a
    plain table for the bias.
    """

    relative_position_index: Tensor

    def __init__(self, width: int, heads: int, window: int):
        super().__init__()
        inner = width // heads * heads
        self.heads = heads
        self.logit_scale = nn.Parameter(torch.full((heads, 1, 1), math.log(10)))
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        self.register_buffer("relative_position_index", _relative_positions(window))
        self.qkv = nn.Linear(width, 3 * inner)
        self.proj = nn.Linear(inner, width)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """``[..., window**2, width]`` to the same; ``mask`` is added to the logits
        ``[..., heads, window**2, window**2]``."""
        q, k, v = split_heads(self.qkv(x), self.heads)
        scale = torch.exp(self.logit_scale.clamp(max=math.log(MAX_SCALE)))
        bias = self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)
        logits = scale * (F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).mT) + bias
        if mask is not None:
            logits = logits + mask
        return self.proj(merge_heads(torch.softmax(logits, -1) @ v))


def shift_mask(x: Tensor, window: int) -> Tensor:
    """``[H / window, W / window, window**2, window**2]`` for a map ``[N, C, H, W]`` that was rolled
    by half a window: -100 for two pixels of a window that were not neighbours before, else 0.

    A roll brings the first rows to the last half window, and columns likewise. ``torch.fx`` records
    a call as one node: the mask depends on the size.

    Source: Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows",
    2021.
    """
    if has_torch_function_unary(x):
        return handle_torch_function(shift_mask, (x,), x, window)
    rows, columns = (_parts(length, window, x.device) for length in x.shape[2:])
    region = (3 * rows[:, None] + columns).expand(1, 1, -1, -1)
    region = windows(region, window, window)[0]
    return MASKED * (region != region.mT).to(x.dtype)


def _parts(length: int, window: int, device: torch.device) -> Tensor:
    from_end = length - torch.arange(length, device=device)
    return (from_end <= window).long() + (from_end <= window // 2)


def _relative_positions(window: int) -> Tensor:
    """For a query i and a key j of a window, the row of the table: ``[window**2, window**2]``."""
    steps = torch.arange(window)
    y, x = (t.flatten() for t in torch.meshgrid(steps, steps, indexing="ij"))
    dy, dx = (t[:, None] - t + window - 1 for t in (y, x))
    return dy * (2 * window - 1) + dx
