"""The memory format of results."""

from __future__ import annotations

import torch
from torch import Tensor


def memory_format(image: Tensor) -> torch.memory_format:
    """The format that results for this input take: channels_last if it is that, else contiguous.

    A tensor that is dense in both senses (one channel, or one pixel) counts as contiguous, and so
    does a tensor that is dense in neither.
    """
    if not image.is_contiguous() and image.is_contiguous(memory_format=torch.channels_last):
        return torch.channels_last
    return torch.contiguous_format


def empty_like(
    image: Tensor, channels: int, height: int, width: int, dtype: torch.dtype | None = None
) -> Tensor:
    """A result for the input ``image``: in its memory format, and of its dtype if that is None."""
    return torch.empty(
        (image.shape[0], channels, height, width),
        dtype=dtype or image.dtype,
        device=image.device,
        memory_format=memory_format(image),
    )
