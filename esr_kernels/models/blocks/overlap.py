"""Division of a map into equal windows that may overlap, and the average over the windows."""

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function_unary


def window_starts(length: int, window: int) -> list[int]:
    """Return the first pixels of the windows along an axis.

    There are as few windows as cover the axis, nearly evenly spaced, all of ``min(length, window)``
    pixels, the last one flush with the end. 510 pixels in windows of 96: 0, 83, 166, 249, 332, 414.
    """
    window = min(length, window)
    count = (length - 1) // window + 1
    step = -(-(length - window) // max(count - 1, 1))
    return [min(i * step, length - window) for i in range(count)]


def overlapping_windows(x: Tensor, window: int) -> Tensor:
    """Cut ``[N, C, H, W]`` into ``[N, Gy, Gx, C, min(H, window), min(W, window)]``, row by row.

    ``torch.fx`` records a call as one node, because the number of windows depends on the size.
    """
    if has_torch_function_unary(x):
        return handle_torch_function(overlapping_windows, (x,), x, window)
    rows, columns = (_pixels(length, window, x.device) for length in x.shape[2:])
    return x[:, :, rows[:, None, :, None], columns[None, :, None, :]].permute(0, 2, 3, 1, 4, 5)


def average_windows(x: Tensor, height: int, width: int, window: int) -> Tensor:
    """Invert ``overlapping_windows``: a pixel is the mean of its values in all its windows.

    Returns:
        ``[N, C, height, width]``.
    """
    if has_torch_function_unary(x):
        return handle_torch_function(average_windows, (x,), x, height, width, window)
    x = x.permute(0, 3, 1, 4, 2, 5)
    x = _mean(x.flatten(4, 5), 4, _pixels(width, window, x.device), width)
    return _mean(x.flatten(2, 3), 2, _pixels(height, window, x.device), height)


def _pixels(length: int, window: int, device: torch.device) -> Tensor:
    """Return the positions of each window's pixels, ``[windows, min(length, window)]``."""
    starts = torch.tensor(window_starts(length, window), device=device)
    return starts[:, None] + torch.arange(min(length, window), device=device)


def _mean(x: Tensor, dim: int, pixels: Tensor, length: int) -> Tensor:
    """Average the values that belong to the same one of ``length`` positions along ``dim``."""
    shape = list(x.shape)
    shape[dim] = length
    total = x.new_zeros(shape).index_add_(dim, pixels.flatten(), x)
    covers = pixels.flatten().bincount(minlength=length).to(x.dtype)
    return total / covers.view(-1, *[1] * (x.dim() - dim - 1))
