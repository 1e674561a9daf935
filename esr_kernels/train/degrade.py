"""Downscaling of training pictures with the bicubic filter that the field uses."""

import torch.nn.functional as F
from torch import Tensor

_MARGIN = 2  # low-resolution pixels: the antialiased kernel reaches two of them to each side


def bicubic_down(pictures: Tensor, scale: int) -> Tensor:
    """Downscale uint8 ``[N, C, H, W]`` to ``[N, C, H/s, W/s]``: antialiased bicubic (a = -1/2).

    Border pixels are repeated outwards. The picture is rounded to 8 bits after its columns have
    been shrunk and again after its rows, because MATLAB's ``imresize`` made the low-resolution
    files of the field's test sets so. All but one pixel in some thousands (halves, rounded to the
    other side) agree with those files.

    Args:
        pictures: The pictures; H and W are multiples of ``scale``.
        scale: The factor s.
    """
    return _along_rows(_along_rows(pictures.mT, scale).mT, scale)


def _along_rows(pictures: Tensor, scale: int) -> Tensor:
    margin = _MARGIN * scale
    padded = F.pad(pictures.float(), (margin, margin, 0, 0), mode="replicate")
    height, width = padded.shape[2:]
    small = F.interpolate(
        padded,
        size=(height, width // scale),
        mode="bicubic",
        align_corners=False,
        antialias=True,
    )
    return small[..., _MARGIN:-_MARGIN].round().clamp(0, 255).byte()
