"""RepBlock: ECB under other names, with a pair of convolutions without bias (IFADNet, LSANet)."""

import torch
from torch import Tensor

from ..blocks.convolution import conv1x1, conv3x3
from .ecb import LAPLACIAN, SOBEL_X, SOBEL_Y, EdgeFilter
from .form import TrainingForm
from .kernel import Kernel, chain, identity, total


class RepBlock(TrainingForm):
    """Training form of six branches that keep the channels; their sum equals one 3x3.

    The branches are a 3x3, a 1x1 to twice the channels with a 3x3 back, Sobel x, Sobel y and
    Laplacian filters of a 1x1, and x itself. The pair has no bias, so it is exact at the borders
    although the padding is between its two halves.

    Source: NTIRE 2024 efficient SR report, teams 33 and 44; the names are those of their code.
    """

    merged_name = "rbr_reparam"

    def __init__(self, channels: int):
        super().__init__()
        self.rbr_3x3_branch = conv3x3(channels, channels)
        self.rbr_1x1_3x3_branch_1x1 = conv1x1(channels, 2 * channels, bias=False)
        self.rbr_1x1_3x3_branch_3x3 = conv3x3(2 * channels, channels, bias=False)
        self.rbr_conv1x1_sbx_branch = EdgeFilter(channels, SOBEL_X)
        self.rbr_conv1x1_sby_branch = EdgeFilter(channels, SOBEL_Y)
        self.rbr_conv1x1_lpl_branch = EdgeFilter(channels, LAPLACIAN)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to ``[N, C, H, W]``."""
        pair = self.rbr_1x1_3x3_branch_3x3(self.rbr_1x1_3x3_branch_1x1(x))
        return self.rbr_3x3_branch(x) + pair + sum(edge(x) for edge in self._edges()) + x

    def merge(self, dtype: torch.dtype = torch.float64) -> Kernel:
        """Compute ``W = K + k1 k0 + sum over the masks M of s k M + E``.

        E is the centre tap of the identity.
        """
        plain = Kernel.of(self.rbr_3x3_branch, dtype)
        pair = chain(
            Kernel.of(self.rbr_1x1_3x3_branch_1x1, dtype),
            Kernel.of(self.rbr_1x1_3x3_branch_3x3, dtype),
        )
        edges = (edge.kernel(dtype) for edge in self._edges())
        return total(plain, pair, *edges, identity(plain.weight))

    def _edges(self) -> tuple[EdgeFilter, ...]:
        return (
            self.rbr_conv1x1_sbx_branch,
            self.rbr_conv1x1_sby_branch,
            self.rbr_conv1x1_lpl_branch,
        )
