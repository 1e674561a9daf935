"""Padding to sizes that a network's windows or strides divide."""

import torch.nn.functional as F
from torch import Tensor


def pad_to_multiple(x: Tensor, multiple: int | tuple[int, int], mode: str) -> Tensor:
    """Pad ``[N, C, H, W]`` at the bottom and the right up to the next multiples.

    Args:
        x: The map.
        multiple: The number that must divide H and W, or a pair for H and for W.
        mode: As in ``torch.nn.functional.pad``.
    """
    rows, columns = multiple if isinstance(multiple, tuple) else (multiple, multiple)
    bottom, right = -x.shape[2] % rows, -x.shape[3] % columns
    return F.pad(x, (0, right, 0, bottom), mode=mode)
