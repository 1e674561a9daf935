"""The challenge's metrics against scikit-image, and against values worked out by hand."""

import math

import numpy as np
import pytest

from esr_kernels.challenge.metrics import modcrop, psnr, psnr_y, ssim


@pytest.fixture
def pair():
    """A smooth picture and a noisy one, 8 bit, of odd sizes."""
    draw = np.random.default_rng(0)
    y, x = np.mgrid[0:41, 0:53]
    smooth = np.stack([100 + 2 * x, 50 + 3 * y, 128 + 60 * np.sin(x * y / 90)], axis=-1)
    noisy = smooth + draw.normal(0, 9, smooth.shape)
    return tuple(p.clip(0, 255).round().astype(np.uint8) for p in (smooth, noisy))


def grey(level: int, shape=(20, 30, 3)) -> np.ndarray:
    return np.full(shape, level, np.uint8)


@pytest.mark.parametrize("border", [0, 4])
def test_against_scikit_image(pair, border):
    from skimage import color, metrics

    a, b = pair
    inside = tuple(p[border : 41 - border, border : 53 - border] for p in pair)
    assert psnr(a, b, border) == pytest.approx(metrics.peak_signal_noise_ratio(*inside), abs=1e-9)
    luma = [color.rgb2ycbcr(p)[..., 0].round() for p in inside]
    expected = metrics.peak_signal_noise_ratio(*luma, data_range=255)
    assert psnr_y(a, b, border) == pytest.approx(expected, abs=1e-9)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected = metrics.structural_similarity(*inside, channel_axis=2, data_range=255, **options)
    assert ssim(a, b, border) == pytest.approx(expected, abs=1e-9)


def test_by_hand():
    # 8-bit values must not wrap: 10 - 20 is -10.
    assert psnr(grey(10), grey(20)) == pytest.approx(10 * math.log10(255**2 / 100))
    assert psnr(grey(20), grey(10)) == psnr(grey(10), grey(20))
    assert psnr(grey(0), grey(255)) == 0.0
    assert psnr(grey(7), grey(7)) == math.inf and ssim(grey(7), grey(7)) == pytest.approx(1)
    # Luma goes from 16 to 235.
    assert psnr_y(grey(0), grey(255)) == pytest.approx(20 * math.log10(255 / 219))
    # Two flat pictures differ by their means alone.
    c1 = 2.55**2
    expected = (2 * 10 * 20 + c1) / (10**2 + 20**2 + c1)
    assert ssim(grey(10), grey(20)) == pytest.approx(expected)


def test_border_is_left_out():
    a, b = grey(99), grey(99)
    b[:4], b[-4:], b[:, :4], b[:, -4:] = 0, 0, 0, 0
    assert psnr(a, b) == math.inf and psnr(a, b, border=3) < 20
    b[4, 4] = 100
    assert psnr(a, b) == pytest.approx(10 * math.log10(255**2 * 12 * 22))


def test_modcrop():
    picture = np.arange(7 * 9 * 3).reshape(7, 9, 3)
    assert np.array_equal(modcrop(picture, 4), picture[:4, :8])
    assert modcrop(picture, 1).shape == picture.shape


def test_refusals():
    with pytest.raises(TypeError, match="uint8"):
        psnr(grey(1).astype(np.float32), grey(1))
    with pytest.raises(ValueError, match=r"\[20, 30, 3\], \[20, 31, 3\]"):
        psnr(grey(1), grey(1, (20, 31, 3)))
    with pytest.raises(ValueError, match="border of 4"):
        psnr(grey(1, (8, 30, 3)), grey(1, (8, 30, 3)))
    with pytest.raises(ValueError, match="RGB"):
        psnr_y(grey(1, (20, 30)), grey(1, (20, 30)))
    with pytest.raises(ValueError, match="11 x 11"):
        ssim(grey(1, (18, 30)), grey(1, (18, 30)))
