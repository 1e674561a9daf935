"""PSNR and SSIM as the challenge computes them: on 8-bit pictures, without a border.

Source: NTIRE 2024 efficient SR challenge report, section 2.3; SSIM by Wang et al., "Image Quality
Assessment: From Error Visibility to Structural Similarity" (2004).
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

_PEAK = 255.0
# Of red, green and blue in [0, 255], and the level of black: BT.601 luma in [16, 235].
_LUMA, _BLACK = np.array([65.481, 128.553, 24.966]) / _PEAK, 16.0
_WINDOW_PX, _SIGMA_PX = 11, 1.5
_K1, _K2 = 0.01, 0.03


def psnr(a: np.ndarray, b: np.ndarray, border: int = 4) -> float:
    """Compute 10 log10(255^2 / MSE) over all pixels and channels.

    Args:
        a: A picture, uint8 ``[H, W, C]`` or ``[H, W]``.
        b: A picture of the same shape and dtype.
        border: The number of pixels left out on each side.

    Returns:
        The PSNR in dB, infinite for equal pictures.

    Raises:
        TypeError: A picture is not uint8.
        ValueError: The shapes differ, or leave no pixels inside the border.
    """
    return _psnr(*_inside(a, b, border))


def psnr_y(a: np.ndarray, b: np.ndarray, border: int = 4) -> float:
    """Compute ``psnr`` of the luma of two RGB pictures, each rounded to 8 bits.

    Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255 for R, G, B in [0, 255]: BT.601, as MATLAB's
    ``rgb2ycbcr`` computes it from uint8. Arguments and errors are those of ``psnr``, for
    ``[H, W, 3]`` only.
    """
    a, b = _inside(a, b, border)
    if a.ndim != 3 or a.shape[2] != 3:
        raise ValueError(f"luma is made of RGB, [H, W, 3]: got {list(np.shape(a))}")
    return _psnr(*(np.rint(picture @ _LUMA + _BLACK) for picture in (a, b)))


def ssim(a: np.ndarray, b: np.ndarray, border: int = 4) -> float:
    """Compute the mean structural similarity of each channel, and average the channels.

    (2 m_a m_b + C1) (2 s_ab + C2) / ((m_a^2 + m_b^2 + C1) (s_a^2 + s_b^2 + C2)) with means m,
    variances s^2 and covariance s_ab under an 11 x 11 Gaussian of sigma 1.5, at all places where it
    lies inside the picture; C1 = (0.01 * 255)^2, C2 = (0.03 * 255)^2. Arguments and errors are
    those of ``psnr``; at least 11 x 11 pixels must remain inside the border.

    Returns:
        A number in [-1, 1].
    """
    a, b = _inside(a, b, border)
    if min(a.shape[:2]) < _WINDOW_PX:
        raise ValueError(
            f"SSIM needs {_WINDOW_PX} x {_WINDOW_PX} pixels inside the border, "
            f"got {a.shape[0]} x {a.shape[1]}"
        )
    c1, c2 = (_K1 * _PEAK) ** 2, (_K2 * _PEAK) ** 2
    mean_a, mean_b = _blurred(a), _blurred(b)
    var_a, var_b = _blurred(a * a) - mean_a**2, _blurred(b * b) - mean_b**2
    covariance = _blurred(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    structure = (2 * covariance + c2) / (var_a + var_b + c2)
    return float((luminance * structure).mean())


def modcrop(picture: np.ndarray, scale: int) -> np.ndarray:
    """Crop ``picture`` ``[H, W, ...]`` to a height and width that ``scale`` divides.

    Returns:
        A view without the last rows and columns.
    """
    height, width = (side // scale * scale for side in picture.shape[:2])
    return picture[:height, :width]


def _psnr(a: np.ndarray, b: np.ndarray) -> float:
    error = np.square(a - b).mean()
    return float(10 * np.log10(_PEAK**2 / error)) if error else float("inf")


def _inside(a: np.ndarray, b: np.ndarray, border: int) -> tuple[np.ndarray, np.ndarray]:
    """Return both pictures without their border, in float64."""
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype != np.uint8 or b.dtype != np.uint8:
        raise TypeError(f"the challenge compares 8-bit pictures (uint8), not {a.dtype}, {b.dtype}")
    if a.shape != b.shape or a.ndim not in (2, 3):
        raise ValueError(
            f"two pictures [H, W, C] of one size are compared, not {list(a.shape)}, {list(b.shape)}"
        )
    if min(a.shape[:2]) <= 2 * border:
        raise ValueError(f"{a.shape[0]} x {a.shape[1]} pixels lie within a border of {border}")
    height, width = a.shape[:2]
    inside = np.s_[border : height - border, border : width - border]
    a, b = (picture[inside].astype(np.float64, order="C") for picture in (a, b))
    return a, b


def _blurred(picture: np.ndarray) -> np.ndarray:
    """Average under the Gaussian at each place where it lies inside the picture."""
    offsets = np.arange(_WINDOW_PX) - _WINDOW_PX // 2
    gauss = np.exp(-(offsets**2) / (2 * _SIGMA_PX**2))
    gauss /= gauss.sum()
    for axis in (0, 1):
        picture = sliding_window_view(picture, _WINDOW_PX, axis) @ gauss
    return picture
