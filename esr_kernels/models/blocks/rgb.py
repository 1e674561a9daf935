"""The mean colour of pictures, and plain upscaling."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

RGB_MEAN = (0.4488, 0.4371, 0.4040)  # of DIV2K; part of the published networks, not of the weights


def register_mean(module: nn.Module, mean: tuple[float, ...] = RGB_MEAN) -> None:
    """Give ``module`` the buffer ``mean``, ``[1, C, 1, 1]``.

    It is not part of the ``state_dict``, but follows the module's device and dtype.
    """
    module.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)


def bilinear(x: Tensor, scale: int) -> Tensor:
    """Upscale ``[N, C, H, W]`` by ``scale``, bilinear with half-pixel centres."""
    return F.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False)
