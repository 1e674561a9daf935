"""A map cut into equal windows that may overlap, and put together again by averaging."""

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function_unary


def window_starts(length: int, window: int) -> list[int]:
    """First pixels of the windows along an axis: as few as cover it, nearly evenly spaced, all of
    ``min(length, window)`` pixels, the last one flush with the end.

    510 pixels in windows of 96: 0, 83, 166, 249, 332, 414.
    """
    window = min(length, window)
    count = (length - 1) // window + 1
    step = -(-(length - window) // max(count - 1, 1))
    return [min(i * step, length - window) for i in range(count)]


def overlapping_windows(x: Tensor, window: int) -> Tensor:
    """``[N, C, H, W] -> [N, Gy, Gx, C, min(H, window), min(W, window)]``, windows row by row.

    ``torch.fx`` records a call as one node: how many windows there are depends on the size.
    """
    if has_torch_function_unary(x):
        return handle_torch_function(overlapping_windows, (x,), x, window)
    rows, columns = (_pixels(length, window, x.device) for length in x.shape[2:])
    return x[:, :, rows[:, None, :, None], columns[None, :, None, :]].permute(0, 2, 3, 1, 4, 5)


def average_windows(x: Tensor, height: int, width: int, window: int) -> Tensor:
    """The inverse of ``overlapping_windows``: ``[N, C, height, width]``, each pixel the mean of its
    values in all windows that hold it."""
    if has_torch_function_unary(x):
        return handle_torch_function(average_windows, (x,), x, height, width, window)
    x = x.permute(0, 3, 1, 4, 2, 5)
    x = _mean(x.flatten(4, 5), 4, _pixels(width, window, x.device), width)
    return _mean(x.flatten(2, 3), 2, _pixels(height, window, x.device), height)


def _pixels(length: int, window: int, device: torch.device) -> Tensor:
    """``[windows, min(length, window)]``: the place of each window's pixels on the axis."""
    starts = torch.tensor(window_starts(length, window), device=device)
    return starts[:, None] + torch.arange(min(length, window), device=device)


def _mean(x: Tensor, dim: int, pixels: Tensor, length: int) -> Tensor:
    """The mean of what falls on the same one of ``length`` places along ``dim``."""
    shape = list(x.shape)
    shape[dim] = length
    total = x.new_zeros(shape).index_add_(dim, pixels.flatten(), x)
    covers = pixels.flatten().bincount(minlength=length).to(x.dtype)
    return total / covers.view(-1, *[1] * (x.dim() - dim - 1))
