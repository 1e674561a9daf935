"""Partial convolution: some channels are convolved, the others pass unchanged."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def partial_conv(x: Tensor, conv: nn.Conv2d, act: Callable[[Tensor], Tensor]) -> Tensor:
    """Convolve the first channels of x: ``cat(act(conv(x[:, :Ci])), x[:, Co:])``.

    Ci, Co are the input and output channels of ``conv``, which keeps H and W. x itself is not
    changed.

    Source: Chen et al., "Run, Don't Walk: Chasing Higher FLOPS for Faster Neural Networks", 2023.
    """
    return torch.cat([act(conv(x[:, : conv.in_channels])), x[:, conv.out_channels :]], 1)
