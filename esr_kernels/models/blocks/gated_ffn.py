"""Gated feed-forward blocks: two halves of a hidden map, one multiplied by the other."""

from collections.abc import Callable

from torch import Tensor, nn

from .convolution import conv1x1, depthwise


class GatedFFN(nn.Module):
    """Gated feed-forward: ``project_out(act(a) * b)``.

    ``a, b`` are the halves of ``dwconv(project_in(x))``. project_in (1x1) widens to ``2 * hidden``
    channels, dwconv is depthwise 3x3 with zero padding, project_out is 1x1 back; none has a bias.

    Args:
        channels: Channels of the input and the result.
        hidden: Channels of each half.
        act: The activation of the first half; ``nn.Identity()`` is none.

    Source: Zamir et al., "Restormer: Efficient Transformer for High-Resolution Image Restoration",
    2022, the gated-Dconv feed-forward network.
    """

    def __init__(self, channels: int, hidden: int, act: Callable[[Tensor], Tensor]):
        super().__init__()
        self.project_in = conv1x1(channels, 2 * hidden, bias=False)
        self.dwconv = depthwise(2 * hidden, bias=False)
        self.project_out = conv1x1(hidden, channels, bias=False)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to ``[N, C, H, W]``."""
        return self.project_out(self.gated(x))

    def gated(self, x: Tensor) -> Tensor:
        """Compute the input of project_out: ``[N, C, H, W]`` to ``[N, hidden, H, W]``."""
        a, b = self.dwconv(self.project_in(x)).chunk(2, dim=1)
        return self.act(a) * b
