"""Sizes that a network's windows or strides divide."""

import torch.nn.functional as F
from torch import Tensor


def pad_to_multiple(x: Tensor, multiple: int, mode: str) -> Tensor:
    """``[N, C, H, W]`` with rows added at the bottom and columns at the right up to the next
    multiples of ``multiple``; ``mode`` as ``torch.nn.functional.pad`` names it."""
    bottom, right = -x.shape[2] % multiple, -x.shape[3] % multiple
    return F.pad(x, (0, right, 0, bottom), mode=mode)
