"""Division of a map into windows, for attention inside each window."""

from torch import Tensor


def windows(x: Tensor, height: int, width: int) -> Tensor:
    """Cut ``[N, C, H, W]`` into ``[N, H / height, W / width, height * width, C]``.

    Windows and their pixels are both row by row; H and W are multiples of ``height`` and ``width``.

    Source: Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows",
    2021, with windows that need not be square.
    """
    cells = x.unflatten(3, (-1, width)).unflatten(2, (-1, height))
    return cells.permute(0, 2, 4, 3, 5, 1).flatten(3, 4)


def from_windows(x: Tensor, height: int, width: int) -> Tensor:
    """Invert ``windows``.

    Returns:
        ``[N, C, Gy * height, Gx * width]`` from ``[N, Gy, Gx, height * width, C]``.
    """
    cells = x.unflatten(3, (height, width))
    return cells.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)
