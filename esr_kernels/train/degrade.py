"""The low-resolution side of a training pair, as the field makes it."""

import torch.nn.functional as F
from torch import Tensor

_MARGIN = 2  # low-resolution pixels: the antialiased kernel reaches two of them to each side


def bicubic_down(pictures: Tensor, scale: int) -> Tensor:
    """uint8 ``[N, C, H, W]`` -> ``[N, C, H / scale, W / scale]``: antialiased bicubic (a = -1/2).

    H and W are multiples of ``scale``. Border pixels are repeated outwards, and the picture is
    rounded to 8 bits after its columns have been shrunk and again after its rows: so MATLAB's
    ``imresize`` made the low-resolution files of the field's test sets, and all but one pixel in
    some thousands (halves, rounded to the other side) agree with them.
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
