"""Conv3XC: a 3x3 convolution that is trained as 1x1 -> 3x3 -> 1x1 beside a 1x1 skip (SPAN)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..blocks.convolution import conv1x1, conv3x3
from .form import TrainingForm
from .kernel import Kernel, chain, total


class Conv3XC(TrainingForm):
    """Training form ``conv.2(conv.1(conv.0(pad(x)))) + sk(x)``, without activations.

    ``conv.0`` is 1x1 to gain * Ci, ``conv.1`` 3x3 unpadded to gain * Co, ``conv.2`` 1x1 to Co,
    ``sk`` 1x1; all have a bias. x is zero-padded before the first 1x1, whose bias so reaches the
    padded ring too: the whole equals one 3x3 convolution (``merge``), at the borders as well.

    The forward pass is these branches in training and in evaluation mode, so it is right after any
    change of the parameters. Official checkpoints hold ``eval_conv`` beside the branches. It takes
    no gradient, and is updated whenever a ``state_dict`` is made.

    Source: Wan et al., "Swift Parameter-free Attention Network for Efficient Super-Resolution",
    2023, the re-parameterised convolution; the names are those of the published code.
    """

    merged_name = "eval_conv"

    def __init__(self, in_channels: int, out_channels: int, gain: int = 2):
        super().__init__()
        self.conv = nn.Sequential(
            conv1x1(in_channels, gain * in_channels),
            nn.Conv2d(gain * in_channels, gain * out_channels, 3),
            conv1x1(gain * out_channels, out_channels),
        )
        self.sk = conv1x1(in_channels, out_channels)
        self.eval_conv = conv3x3(in_channels, out_channels).requires_grad_(False)
        self.register_state_dict_pre_hook(_refresh_eval_conv)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, Ci, H, W]`` to ``[N, Co, H, W]``."""
        return self.conv(F.pad(x, (1, 1, 1, 1))) + self.sk(x)

    def merge(self, dtype: torch.dtype = torch.float64) -> Kernel:
        """Compute ``W = W3 W2 W1 + Ws E``, ``b = b3 + bs + W3 (b2 + (sum of W2's taps) b1)``.

        E is the centre tap.
        """
        return total(
            chain(*(Kernel.of(layer, dtype) for layer in self.conv)),
            Kernel.of(self.sk, dtype),
        )


@torch.no_grad()
def _refresh_eval_conv(module: Conv3XC, *_: object) -> None:
    # A reader of the merged keys alone would otherwise get old or random values.
    weight, bias = module.merge()
    module.eval_conv.weight.copy_(weight)
    module.eval_conv.bias.copy_(bias)
