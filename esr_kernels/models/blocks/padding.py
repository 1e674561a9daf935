"""Sizes that a network's windows or strides divide."""

import torch.nn.functional as F
from torch import Tensor


def pad_to_multiple(x: Tensor, multiple: int | tuple[int, int], mode: str) -> Tensor:
    """``[N, C, H, W]`` with rows added at the bottom and columns at the right up to the next
    multiples of ``multiple`` (a pair: for rows, for columns); ``mode`` as
    ``torch.nn.functional.pad`` names it."""
    rows, columns = multiple if isinstance(multiple, tuple) else (multiple, multiple)
    bottom, right = -x.shape[2] % rows, -x.shape[3] % columns
    return F.pad(x, (0, right, 0, bottom), mode=mode)
