"""Mamba: a token mixer whose memory is a selective scan."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TAPS = 4


class Mamba(nn.Module):
    """Mamba along a sequence of tokens, forward only: ``out_proj(scan * silu(z))``.

    ``a, z`` are the halves of ``in_proj(t)``, 2 * ``width`` channels each. A causal depthwise
    convolution of 4 taps and SiLU turn a into c; ``x_proj(c)`` gives, for each token, r, B and K,
    and ``delta = softplus(dt_proj(r))``. The scan of c has the decays ``exp(-delta exp(A_log))``,
    the input map B, the read-out K and the skip D (``ops.selective_scan``).

    Args:
        width: Channels of a token; r has ``ceil(width / 16)``.
        states: Numbers of memory for each inner channel.

    Source: Gu and Dao, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces", 2023.
    """

    def __init__(self, width: int, states: int = 16):
        super().__init__()
        inner, rank = 2 * width, math.ceil(width / 16)
        self.A_log = nn.Parameter(
            torch.tensor([math.log(n) for n in range(1, states + 1)]).repeat(inner, 1)
        )
        self.D = nn.Parameter(torch.ones(inner))
        self.in_proj = nn.Linear(width, 2 * inner, bias=False)
        self.conv1d = nn.Conv1d(inner, inner, TAPS, groups=inner)
        self.x_proj = nn.Linear(inner, rank + 2 * states, bias=False)
        self.dt_proj = nn.Linear(rank, inner)
        self.out_proj = nn.Linear(inner, width, bias=False)
        self.parts = (rank, states, states)

    def forward(self, t: Tensor) -> Tensor:
        """Map ``[N, L, width]`` to the same shape."""
        # Imported here, because it imports all ops, and most programs run no Mamba.
        from ...ops.selective_scan import reference as selective_scan

        a, z = self.in_proj(t).chunk(2, dim=-1)
        c = F.silu(self.conv1d(F.pad(a.mT, (TAPS - 1, 0))).mT)
        r, B, K = self.x_proj(c).split(self.parts, dim=-1)
        delta = F.softplus(self.dt_proj(r))
        o = selective_scan(c, delta, -torch.exp(self.A_log), B, K, self.D)
        return self.out_proj(o * F.silu(z))
