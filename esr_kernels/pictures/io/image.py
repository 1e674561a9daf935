"""Reading of picture files into float pixels, with everything that the upscaled file keeps."""

import io
import os
import struct
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import ExifTags, ImageCms, ImageFile, ImageOps, UnidentifiedImageError
from PIL import Image as Pillow

# Only formats that are tested; others of Pillow (EPS, PDF ...) are not pictures to upscale.
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
# Suffixes of pictures in a folder.
READABLE = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif"})

_ORIENTATION = 0x0112
# EXIF of the first directory that describes the picture's origin and stays true after upscaling:
# description, maker, software, date, author, copyright, rating, and the detail and GPS directories.
# In a TIFF the same directory also says how the pixels are stored, which does not.
_KEPT_EXIF = {270, 271, 272, 305, 306, 315, 316, 33432, 18246, 18249, 34665, 34853}
_GREY_MODES = {"1", "L", "LA", "La", "I;16", "I;16B", "I;16L", "I;16N"}
_BOMB = (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning)
# Errors of Pillow's decoders on broken files.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, struct.error)


@dataclass(frozen=True)
class Image:
    """A decoded picture.

    Attributes:
        path: The file.
        pixels: float32 ``[3, H, W]`` RGB in ``[0, 1]``, not linearised; a grey picture has three
            equal channels.
        grey: The picture is grey.
        depth: 8 or 16 bits a channel, from the container and never from the values.
        alpha: uint8 ``[H, W]``, None if the file has none.
        icc: The colour profile, None if the file has none.
        exif: The EXIF block without its orientation, which is applied already; None if there is
            none.
        dpi: Dots per inch in x and y, None if the file has none.
    """

    path: Path
    pixels: np.ndarray
    grey: bool
    depth: int
    alpha: np.ndarray | None = None
    icc: bytes | None = field(default=None, repr=False)
    exif: bytes | None = field(default=None, repr=False)
    dpi: tuple[float, float] | None = None

    @property
    def height(self) -> int:
        """The number of rows."""
        return self.pixels.shape[1]

    @property
    def width(self) -> int:
        """The number of columns."""
        return self.pixels.shape[2]

    @property
    def transparent(self) -> bool:
        """True if any pixel is transparent: an alpha channel of all 255 does not count."""
        return self.alpha is not None and bool((self.alpha < 255).any())


def read(path: str | os.PathLike) -> Image:
    """Decode a PNG, JPEG, WebP, TIFF, BMP or GIF file.

    Supported are colour, grey, palette, CMYK, and 1, 8 and 16-bit grey; the picture is turned as
    EXIF says. Colour that is hidden by alpha 0 is replaced by that of the nearest visible pixels,
    because it would bleed into them. A warning tells when Pillow can give only 8 of 16 bits, and
    when a file holds more than one picture.

    Raises:
        FileNotFoundError: The file is missing.
        ValueError: The file is not a picture, is broken, too large to be trusted, or of a kind that
            is not supported.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder, not a picture")
    if not path.exists():
        raise FileNotFoundError(f"no picture at {path}")
    with path.open("rb") as file:
        raw = _open(path, file)
        return _decode(path, raw)


def _open(path: Path, file: io.BufferedReader) -> ImageFile.ImageFile:
    try:
        return Pillow.open(file, formats=FORMATS)
    except _BOMB as error:
        raise _too_large(path, error) from None
    except UnidentifiedImageError:
        kinds = "PNG, JPEG, WebP, TIFF, BMP, GIF"
        raise ValueError(f"{path} is not a readable picture ({kinds}), or is broken") from None
    except _BROKEN as error:
        raise ValueError(f"{path} is broken: {error}") from error


def _losses(raw: ImageFile.ImageFile) -> list[str]:
    """List the contents of the file that Pillow drops, told from the raw mode of its decoder."""
    losses = []
    if raw.format in ("PNG", "TIFF") and not raw.mode.startswith("I;16"):
        modes = [t.args if isinstance(t.args, str) else (t.args or [None])[0] for t in raw.tile]
        if any(";16" in str(mode) for mode in modes):
            losses.append("16-bit colour is read as 8 bits (Pillow's limit); 16-bit grey is kept")
    frames = getattr(raw, "n_frames", 1)
    if frames > 1 and raw.format != "MPO":
        losses.append(f"only the first of its {frames} pictures is read")
    return losses


def _decode(path: Path, raw: ImageFile.ImageFile) -> Image:
    try:
        losses = _losses(raw)
        raw.load()
        exif = _exif(raw, losses)
        turned = ImageOps.exif_transpose(raw)
        icc, dpi = raw.info.get("icc_profile"), raw.info.get("dpi")
        if turned.mode == "CMYK":
            turned, icc = _from_cmyk(turned, icc), None
    except _BOMB as error:
        raise _too_large(path, error) from None
    except _BROKEN as error:
        raise ValueError(f"{path} is broken or cut off: {error}") from error
    # A picture that was turned by a quarter has its resolutions swapped.
    if dpi and exif.get(_ORIENTATION, 1) >= 5:
        dpi = dpi[::-1]
    pixels, grey, depth, alpha = _to_arrays(path, turned)
    for loss in losses:
        warnings.warn(f"{path}: {loss}", stacklevel=3)
    return Image(
        path=path,
        pixels=pixels,
        grey=grey,
        depth=depth,
        alpha=alpha,
        icc=icc or None,
        exif=_kept(exif),
        dpi=(float(dpi[0]), float(dpi[1])) if dpi else None,
    )


def _exif(raw: Pillow.Image, losses: list[str]) -> Pillow.Exif:
    try:
        return raw.getexif()
    except _BROKEN:
        # The pixels are good all the same. Removed, or Pillow would fail on it again.
        losses.append("its EXIF block is broken and left out")
        raw.info.pop("exif", None)
        return Pillow.Exif()


def _kept(exif: Pillow.Exif) -> bytes | None:
    kept = Pillow.Exif()
    for tag in _KEPT_EXIF.intersection(exif):
        directory = exif.get_ifd(tag) if tag in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo) else None
        kept[tag] = exif[tag] if directory is None else directory
    return kept.tobytes() if len(kept) else None


def _to_arrays(path: Path, im: Pillow.Image) -> tuple[np.ndarray, bool, int, np.ndarray | None]:
    """Convert a picture of any supported mode to ``(pixels, grey, depth, alpha)`` of ``Image``."""
    if im.mode.startswith("I;16"):
        levels = np.asarray(im).astype(np.float32)
        return _three(levels / 65535), True, 16, None
    if im.mode in ("I", "F"):
        raise ValueError(
            f"{path} has 32 bits a pixel, whose range cannot be known: save it with 8 or 16 bits"
        )
    grey = im.mode in _GREY_MODES
    alpha = None
    if im.has_transparency_data:
        im = im.convert("LA" if grey else "RGBA")
        alpha = np.array(im.getchannel("A"))
    try:
        im = im.convert("L" if grey else "RGB")
    except ValueError:
        raise ValueError(
            f"{path} has the colour mode {im.mode}, which cannot be turned into RGB: save it as RGB"
        ) from None
    bytes_ = np.asarray(im)
    pixels = _three(bytes_) if grey else np.ascontiguousarray(bytes_.transpose(2, 0, 1))
    pixels = pixels.astype(np.float32) / 255
    if alpha is not None and (alpha == 0).any():
        pixels = _fill(pixels, (alpha > 0).astype(np.float32))
    return pixels, grey, 8, alpha


def _three(plane: np.ndarray) -> np.ndarray:
    return np.repeat(plane[None], 3, axis=0)


def _from_cmyk(im: Pillow.Image, icc: bytes | None) -> Pillow.Image:
    """Convert CMYK to sRGB, with the file's own profile if it has one that works."""
    if icc:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            rgb = ImageCms.profileToProfile(
                im, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
            assert rgb is not None  # it would be if the picture was changed in place
            return rgb
        except (ImageCms.PyCMSError, OSError):
            pass  # a broken profile: every viewer falls back to the plain formula then
    return im.convert("RGB")


def _fill(colour: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Fill ``colour`` ``[C, H, W]`` where ``seen`` ``[H, W]`` is 0 from the nearest seen pixels.

    Each level halves the picture, averaging only seen pixels; unseen ones take the finest level
    that has a value. If nothing is seen, the result is black.
    """
    height, width = seen.shape
    if seen.all() or max(height, width) == 1:
        return colour * seen
    padding = ((0, height % 2), (0, width % 2))
    weight = _sum_of_fours(np.pad(seen, padding))
    total = _sum_of_fours(np.pad(colour * seen, ((0, 0), *padding)))
    coarse = _fill(total / np.maximum(weight, 1), (weight > 0).astype(np.float32))
    wide = coarse.repeat(2, axis=1).repeat(2, axis=2)[:, :height, :width]
    return np.where(seen > 0, colour, wide)


def _sum_of_fours(a: np.ndarray) -> np.ndarray:
    return a[..., 0::2, 0::2] + a[..., 1::2, 0::2] + a[..., 0::2, 1::2] + a[..., 1::2, 1::2]


def _too_large(path: Path, error: Exception) -> ValueError:
    return ValueError(
        f"{path} is too large to be trusted ({error}). If you trust it, cut it into parts, "
        "or raise PIL.Image.MAX_IMAGE_PIXELS from Python"
    )
