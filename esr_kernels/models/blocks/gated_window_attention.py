"""Attention in windows of three shapes, each chained to the one before it by a gate (HARN)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .channel_norm import ChannelLayerNorm
from .convolution import conv1x1, depthwise
from .hierarchical import HierarchicalConv
from .padding import pad_to_multiple
from .windows import from_windows, windows

WINDOWS = ((32, 32), (8, 32), (32, 8), (8, 32))  # rows x columns, of attn1 to attn4
EPS = 1e-6


class GatedWindowAttention(nn.Module):
    """Hierarchical attention: ``r = proj(cat(x1, x2, x3, x4)) + u``, then ``mlp(norm2(r)) + r``.

    ``x1 = attn1(e1)`` and ``xk = attnk(gate(ek, x(k-1)))``, where e1, ..., e4 are equal groups of
    ``proj1(norm1(u))``, which has twice the channels, and the gate is one for all. proj and proj1
    are 1x1.

    Source: NTIRE 2024 efficient SR report, section 4.4.
    """

    attn1: "WindowAttention"
    attn2: "WindowAttention"
    attn3: "WindowAttention"
    attn4: "WindowAttention"

    def __init__(self, channels: int, *, shifted: bool):
        super().__init__()
        group = channels // 2
        self.norm1 = ChannelLayerNorm(channels, EPS)
        self.proj1 = conv1x1(channels, 4 * group)
        for i, window in enumerate(WINDOWS, 1):
            self.add_module(f"attn{i}", WindowAttention(group, window, shifted=shifted))
        self.gate_layer = Gate(group)
        self.proj = conv1x1(4 * group, channels)
        self.norm2 = ChannelLayerNorm(channels, EPS)
        self.mlp = HierarchicalMLP(channels, 2 * channels)

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        e1, e2, e3, e4 = self.proj1(self.norm1(u)).chunk(4, dim=1)
        x1 = self.attn1(e1)
        x2 = self.attn2(self.gate_layer(e2, x1))
        x3 = self.attn3(self.gate_layer(e3, x2))
        x4 = self.attn4(self.gate_layer(e4, x3))
        r = self.proj(torch.cat([x1, x2, x3, x4], 1)) + u
        return self.mlp(self.norm2(r)) + r


class WindowAttention(nn.Module):
    """Attention in windows of pixels: ``softmax(q k^T / sqrt(C)) v + l``.

    ``q, k = proj_qk(u)``, ``v = proj_v(u)``, 1x1; ``l = lepe_v(v)``; q and k are then replaced by
    their ``proj_q_5x5``, ``proj_k_5x5`` plus l; these three are depthwise 5x5. First u is padded
    with zeros at the bottom and the right to whole windows and, if ``shifted``, rolled by half a
    window. There is no mask, so padded pixels and opposite sides attend to each other.

    Args:
        channels: Channels of u.
        window: Rows and columns of a window.
        shifted: Roll the map by half a window.

    Source: Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows",
    2021; NTIRE 2024 efficient SR report, section 4.4.
    """

    def __init__(self, channels: int, window: tuple[int, int], *, shifted: bool):
        super().__init__()
        self.window = window
        self.shifted = shifted
        self.proj_qk = conv1x1(channels, 2 * channels)
        self.proj_v = conv1x1(channels, channels)
        self.proj_q_5x5 = depthwise(channels, 5)
        self.proj_k_5x5 = depthwise(channels, 5)
        self.lepe_v = depthwise(channels, 5)

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        down, right = (side // 2 for side in self.window)
        t = pad_to_multiple(u, self.window, "constant")
        if self.shifted:
            t = t.roll((-down, -right), (2, 3))
        q, k = self.proj_qk(t).chunk(2, dim=1)
        v = self.proj_v(t)
        local = self.lepe_v(v)
        q, k = self.proj_q_5x5(q) + local, self.proj_k_5x5(k) + local
        q, k, v = (windows(m, *self.window) for m in (q, k, v))
        # torch's fast kernels take one axis of heads; windows serve as heads.
        o = F.scaled_dot_product_attention(*(m.flatten(1, 2) for m in (q, k, v)))
        o = from_windows(o.unflatten(1, q.shape[1:3]), *self.window) + local
        if self.shifted:
            o = o.roll((down, right), (2, 3))
        return o[:, :, : u.shape[2], : u.shape[3]]


class Gate(nn.Module):
    """Gated recurrent unit ``(1 - z) * x + z * n``, which replaces a share of x by a new map n.

    ``z = sigmoid(update(e, x))``, ``n = tanh(fusion(e, x * sigmoid(reset(e, x))))``, each a 1x1
    convolution of the concatenation.

    Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for Statistical
    Machine Translation", 2014.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.gated_reset = conv1x1(2 * channels, channels)
        self.gated_update = conv1x1(2 * channels, channels)
        self.gated_fusion = conv1x1(2 * channels, channels)

    def forward(self, e: Tensor, x: Tensor) -> Tensor:
        """Map two ``[N, C, H, W]`` to one."""
        both = torch.cat([e, x], 1)
        reset = torch.sigmoid(self.gated_reset(both))
        update = torch.sigmoid(self.gated_update(both))
        new = torch.tanh(self.gated_fusion(torch.cat([e, x * reset], 1)))
        return (1 - update) * x + update * new


class HierarchicalMLP(nn.Module):
    """Feed-forward with hierarchical convolutions: ``fc2(gelu(dwc1(h) + h))`` with ``h = fc1(u)``.

    fc1 and fc2 are 1x1, to ``hidden`` channels and back.
    """

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.fc1 = conv1x1(channels, hidden)
        self.dwc1 = HierarchicalConv(hidden, F.gelu)
        self.fc2 = conv1x1(hidden, channels)

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        h = self.fc1(u)
        return self.fc2(F.gelu(self.dwc1(h) + h))
