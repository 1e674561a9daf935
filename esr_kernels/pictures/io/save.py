"""Writing of an upscaled picture in the format of its suffix, complete or not at all."""

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags
from PIL import Image as Pillow

from ...output.files import whole_file
from .image import Image


@dataclass(frozen=True)
class _Format:
    """The capabilities of a container, and the options it is written with."""

    name: str
    alpha: bool
    deep: bool
    side_px: int
    options: dict


_ANY = 2**31 - 1
# PNG at level 2: five times as fast as the default and a seventh larger; at the default, writing a
# picture takes longer than upscaling it. JPEG without chroma subsampling: halving the resolution
# of colour would undo part of the upscaling.
_PNG = _Format("PNG", alpha=True, deep=True, side_px=_ANY, options={"compress_level": 2})
_JPEG = _Format("JPEG", False, False, 65500, {"quality": 95, "subsampling": 0})
_WEBP = _Format("WEBP", alpha=True, deep=False, side_px=16383, options={"quality": 95})
_TIFF = _Format("TIFF", True, True, _ANY, {"compression": "tiff_adobe_deflate"})
_BMP = _Format("BMP", alpha=False, deep=False, side_px=_ANY, options={})
_BY_SUFFIX = {
    ".png": _PNG,
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".webp": _WEBP,
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".bmp": _BMP,
}
WRITABLE = frozenset(_BY_SUFFIX)


def check_destination(path: str | os.PathLike, *, overwrite: bool) -> Path:
    """Check before any work is done that a picture can be written to ``path``.

    Returns:
        The path.

    Raises:
        FileNotFoundError: Its folder is missing.
        PermissionError: Its folder cannot be written to.
        ValueError: The suffix names no format, the file exists and ``overwrite`` is False, or a
            folder is in its place.
    """
    path = Path(path)
    if path.suffix.lower() not in _BY_SUFFIX:
        raise ValueError(
            f"{path}: cannot write {path.suffix or 'a file without a suffix'}; "
            f"end the name in one of {' '.join(sorted(WRITABLE))}"
        )
    if path.is_dir():
        raise ValueError(f"{path} is a folder: name a file in it")
    if path.exists() and not overwrite:
        raise ValueError(
            f"{path} exists already: choose another name, or pass overwrite=True (--overwrite)"
        )
    parent = path.parent
    if not parent.is_dir():
        raise FileNotFoundError(f"no folder {parent} to write {path.name} to: make it first")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise PermissionError(f"cannot write to the folder {parent}: choose another one")
    return path


def check_format(path: str | os.PathLike, image: Image, scale: int) -> None:
    """Check that the format of ``path`` can hold ``image`` upscaled; warn if 16 bits become 8.

    Raises:
        ValueError: The picture is transparent and the format JPEG or BMP, or it has more pixels on
            a side than the format allows.
    """
    path = Path(path)
    container = _BY_SUFFIX[path.suffix.lower()]
    if image.transparent and not container.alpha:
        raise ValueError(
            f"{image.path} is transparent, which {container.name} does not support: "
            f"write {path.with_suffix('.png').name} instead, or flatten the picture first"
        )
    side_px = scale * max(image.height, image.width)
    if side_px > container.side_px:
        raise ValueError(
            f"{path}: {side_px} pixels on a side are more than the {container.side_px} of "
            f"{container.name}; write a .png or .tiff"
        )
    if image.depth == 16 and not container.deep:
        warnings.warn(
            f"{path}: {container.name} holds 8 bits, {image.path} has 16; .png and .tiff keep them",
            stacklevel=2,
        )


def write(
    path: str | os.PathLike, planes: np.ndarray, like: Image, *, overwrite: bool = False
) -> None:
    """Write ``planes`` as the upscaled ``like``, complete or not at all.

    Args:
        path: The file, whose suffix names the format.
        planes: uint8 ``[3, H, W]``, or uint8 or uint16 ``[1, H, W]`` for grey.
        like: The source. The file gets its colour profile, its EXIF (with the new size) and its
            resolution, as far as the format supports them, and its alpha, upscaled bicubically and
            clamped at the picture's edges and to [0, 255].
        overwrite: Replace a file that exists.

    Raises:
        FileNotFoundError, PermissionError, ValueError: As in ``check_destination``.
    """
    path = check_destination(path, overwrite=overwrite)
    container = _BY_SUFFIX[path.suffix.lower()]
    picture = _to_pillow(planes, container)
    if like.alpha is not None and container.alpha:
        alpha = Pillow.fromarray(like.alpha)
        picture.putalpha(alpha.resize(picture.size, Pillow.Resampling.BICUBIC))
    save(path, picture, overwrite=overwrite, **_metadata(like, picture.size))


def save(
    path: str | os.PathLike, picture: Pillow.Image, *, overwrite: bool = False, **metadata
) -> None:
    """Save a Pillow picture in the format of the suffix of ``path``, complete or not at all.

    Args:
        path: The file.
        picture: The picture.
        overwrite: Replace a file that exists.
        **metadata: Further options of Pillow's ``save``.

    Raises:
        FileNotFoundError, PermissionError, ValueError: As in ``check_destination``.
    """
    path = check_destination(path, overwrite=overwrite)
    container = _BY_SUFFIX[path.suffix.lower()]
    options = container.options | metadata
    if "exif" in metadata:
        # libtiff, which compresses, cannot write EXIF directories; Pillow's own writer can.
        options.pop("compression", None)
    try:
        with whole_file(path) as file:
            picture.save(file, format=container.name, **options)
    except (RuntimeError, ValueError) as error:  # Pillow's encoders raise both
        raise ValueError(f"{path} could not be written: {error}") from error


def _to_pillow(planes: np.ndarray, container: _Format) -> Pillow.Image:
    if planes.dtype == np.uint16 and not container.deep:
        planes = np.rint(planes / np.float32(257)).astype(np.uint8)
    # Merging whole planes is a fast loop in Pillow; interleaving them in numpy is not.
    bands = [Pillow.fromarray(plane) for plane in planes]
    return bands[0] if len(bands) == 1 else Pillow.merge("RGB", bands)


def _metadata(like: Image, size: tuple[int, int]) -> dict[str, object]:
    kept: dict[str, object] = {}
    if like.icc:
        kept["icc_profile"] = like.icc
    if like.dpi:
        kept["dpi"] = like.dpi
    if like.exif:
        exif = Pillow.Exif()
        exif.load(like.exif)
        details = exif.get_ifd(ExifTags.IFD.Exif)
        tags = (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight)
        for tag, px in zip(tags, size, strict=True):
            if tag in details:
                details[tag] = px
        kept["exif"] = exif.tobytes()
    return kept
