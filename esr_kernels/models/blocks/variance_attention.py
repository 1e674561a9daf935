"""Spatial attention from the maxima and the variance of a map, in windows of several sizes."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .convolution import conv1x1

STRIDE = 3


class Level(NamedTuple):
    """One size of window.

    Attributes:
        number: The number of its convolutions, in their names.
        window: The window of its max-pool.
        padding: The padding of its max-pool.
        variance: The number of the convolution whose local variance is added, None for none.
    """

    number: int
    window: int
    padding: int
    variance: int | None = None


THREE_LEVELS = (Level(0, 3, 1), Level(1, 5, 0), Level(2, 7, 1, variance=3))


class VarianceAttention(nn.Module):
    """Multi-level spatial attention: ``u * sigmoid(conv4(g0 + g1 + ... + conv_f(a)))``.

    ``a = conv1(u)`` has ``hidden`` channels; conv1, conv_f, conv4 are 1x1. For the level with
    number k, ``gk = up(conv3_k(gelu(conv_max_k(b))))``, where b is the max-pool of ``conv2_k(a)``
    with stride 3, plus the local variance of ``conv2_j(a)`` if the level names a j; ``up`` is
    bilinear to u's own size (half-pixel centres).

    Args:
        channels: Channels of u.
        hidden: Channels inside the attention.
        separable: ``separable(in_channels, out_channels, stride=)`` makes conv2, conv_max and
            conv3; conv2 has stride 2.
        levels: The sizes of windows.

    Source: NTIRE 2024 efficient SR report, section 4.5 (AGDN, the variance-aware attention) and
    section 4.4 (HARN), after Liu et al., 2020 (ESA).
    """

    def __init__(
        self,
        channels: int,
        hidden: int,
        separable: Callable[..., nn.Module],
        levels: Sequence[Level] = THREE_LEVELS,
    ):
        super().__init__()
        self.levels = tuple(levels)
        self.conv1 = conv1x1(channels, hidden)
        self.conv_f = conv1x1(hidden, hidden)
        self.conv4 = conv1x1(hidden, channels)
        for level in self.levels:
            for number in (level.number, level.variance):
                if number is not None:
                    self.add_module(f"conv2_{number}", separable(hidden, hidden, stride=2))
            self.add_module(f"conv_max_{level.number}", separable(hidden, hidden))
            self.add_module(f"conv3_{level.number}", separable(hidden, hidden))

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to the same shape."""
        a = self.conv1(u)
        total = self.conv_f(a)
        for level in self.levels:
            small = self._small(a, level)
            total = total + F.interpolate(
                small, size=u.shape[-2:], mode="bilinear", align_corners=False
            )
        return u * torch.sigmoid(self.conv4(total))

    def _small(self, a: Tensor, level: Level) -> Tensor:
        pooled = F.max_pool2d(
            getattr(self, f"conv2_{level.number}")(a), level.window, STRIDE, level.padding
        )
        if level.variance is not None:
            varied = getattr(self, f"conv2_{level.variance}")(a)
            pooled = pooled + local_variance(varied, level.window)
        hidden = F.gelu(getattr(self, f"conv_max_{level.number}")(pooled))
        return getattr(self, f"conv3_{level.number}")(hidden)


def local_variance(x: Tensor, window: int) -> Tensor:
    """Compute the unbiased variance of each channel in square windows, three pixels apart.

    The map is mirrored by one pixel first: ``[N, C, H, W]`` gives
    ``[N, C, (H + 2 - window) // 3 + 1, (W + 2 - window) // 3 + 1]``.
    """
    mirrored = F.pad(x, (1, 1, 1, 1), mode="reflect")
    return mirrored.unfold(2, window, STRIDE).unfold(3, window, STRIDE).var((4, 5))
