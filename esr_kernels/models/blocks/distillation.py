"""Feature distillation: half of the channels are set aside before each of three layers."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .convolution import conv1x1


class Distillation(nn.Module):
    """Feature distillation: ``c5(cat(d1, d2, d3, r4))``, three distilled maps and the last layer's.

    With ``r0 = u``: ``dk = act(ck_d(r(k-1)))`` and ``rk = act(ck_r(r(k-1)) + r(k-1))`` for k = 1,
    2, 3, then ``r4 = act(c4(r3))``. c1_d, c2_d, c3_d are 1x1 convolutions to half of ``width``, c5
    is 1x1 back from the concatenation, without an activation. A network's block is derived from
    this class and processes its output further.

    Args:
        width: Channels of the block.
        refine: The three modules c1_r, c2_r, c3_r, ``width`` channels to as many.
        last: The module c4, ``width`` channels to half.
        act: The activation.
        residual: Add ``r(k-1)`` in ``rk``.

    Source: Liu et al., "Residual Feature Distillation Network for Lightweight Image
    Super-Resolution", 2020; without the residual in the NTIRE 2024 efficient SR report's LKFN.
    """

    def __init__(
        self,
        width: int,
        *,
        refine: Sequence[nn.Module],
        last: nn.Module,
        act: Callable[[Tensor], Tensor],
        residual: bool = True,
    ):
        super().__init__()
        self.c1_r, self.c2_r, self.c3_r = refine
        self.c1_d, self.c2_d, self.c3_d = (conv1x1(width, width // 2) for _ in range(3))
        self.c4 = last
        self.c5 = conv1x1(4 * (width // 2), width)
        self.act = act
        self.residual = residual

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, width, H, W]`` to the same shape."""
        d1, r1 = self.act(self.c1_d(u)), self._refined(self.c1_r, u)
        d2, r2 = self.act(self.c2_d(r1)), self._refined(self.c2_r, r1)
        d3, r3 = self.act(self.c3_d(r2)), self._refined(self.c3_r, r2)
        return self.c5(torch.cat([d1, d2, d3, self.act(self.c4(r3))], 1))

    def _refined(self, layer: nn.Module, r: Tensor) -> Tensor:
        return self.act(layer(r) + r if self.residual else layer(r))
