"""RLFB, the block of RLFN, and the frame that its relatives fill with layers of their own."""

from collections.abc import Callable, Sequence
from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from .convolution import conv3x3

RLFB_SLOPE = 0.05
_leaky = partial(F.leaky_relu, negative_slope=RLFB_SLOPE)


class RLFB(nn.Module):
    """Residual local feature block: ``esa(c5(r3 + u))``.

    ``r1 = act(c1_r(u))``, ``r2 = act(c2_r(r1))``, ``r3 = act(c3_r(r2))``.

    Args:
        layers: The modules c1_r, c2_r and c3_r, which together keep the channels; ``rlfb_layers``
            in RLFN.
        c5: The module c5, a 1x1 convolution in RLFN.
        esa: The attention, an ``ESA`` in RLFN.
        act: The activation, by default a leaky rectifier of slope 0.05.

    Source: Kong et al., "Residual Local Feature Network for Efficient Super-Resolution", 2022.
    """

    def __init__(
        self,
        layers: Sequence[nn.Module],
        *,
        c5: nn.Module,
        esa: nn.Module,
        act: Callable[[Tensor], Tensor] = _leaky,
    ):
        super().__init__()
        self.c1_r, self.c2_r, self.c3_r = layers
        self.c5 = c5
        self.esa = esa
        self.act = act

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to ``[N, C, H, W]``."""
        r1 = self.act(self.first(u))
        r2 = self.act(self.c2_r(r1))
        r3 = self.act(self.c3_r(r2))
        return self.esa(self.c5(r3 + u))

    def first(self, u: Tensor) -> Tensor:
        """Compute the input of the first activation: ``c1_r(u)``."""
        return self.c1_r(u)


def rlfb_layers(width: int, mid: int, *, bias: bool = True) -> list[nn.Module]:
    """Make RLFN's c1_r, c2_r and c3_r: 3x3 convolutions ``width -> mid -> mid -> width``."""
    channels = ((width, mid), (mid, mid), (mid, width))
    return [conv3x3(before, after, bias=bias) for before, after in channels]
