"""Write an upscaled picture in the format its suffix names, whole or not at all."""

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags
from PIL import Image as Pillow

from .image import Image


@dataclass(frozen=True)
class _Format:
    """What a container can hold, and the options it is written with."""

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


def check_destination(path, *, overwrite: bool) -> Path:
    """Raise before any work is done if ``path`` could not be written; return it as a ``Path``.

    ``ValueError`` for a suffix that names no format, an existing file without ``overwrite``, or a
    folder in its place; ``PermissionError`` or ``FileNotFoundError`` for its folder.
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
        raise ValueError(f"{path} exists already: choose another name or overwrite it on purpose")
    parent = path.parent
    if not parent.is_dir():
        raise FileNotFoundError(f"no folder {parent} to write {path.name} to: make it first")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise PermissionError(f"cannot write to the folder {parent}: choose another one")
    return path


def check_format(path, image: Image, scale: int) -> None:
    """Raise ``ValueError`` if the format of ``path`` cannot hold ``image`` enlarged.

    That is: transparency in JPEG or BMP, or more pixels on a side than the format counts to. A
    warning says when 16 bits become 8.
    """
    path = Path(path)
    container = _BY_SUFFIX[path.suffix.lower()]
    if image.transparent and not container.alpha:
        raise ValueError(
            f"{image.path} is transparent and {container.name} cannot be: "
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


def write(path, planes: np.ndarray, like: Image, *, overwrite: bool = False) -> None:
    """Write ``planes`` as the upscaled ``like``.

    ``planes``: uint8 ``[3, H, W]``, or uint8 or uint16 ``[1, H, W]`` for grey. Colour profile,
    EXIF (with the new size) and resolution are those of ``like``, as far as the format keeps them;
    its alpha is enlarged bicubically, clamped at the picture's edges and to [0, 255].

    Raises as ``check_destination`` and ``check_format`` do; nothing is left half-written.
    """
    path = check_destination(path, overwrite=overwrite)
    container = _BY_SUFFIX[path.suffix.lower()]
    picture = _to_pillow(planes, container)
    if like.alpha is not None and container.alpha:
        alpha = Pillow.fromarray(like.alpha)
        picture.putalpha(alpha.resize(picture.size, Pillow.Resampling.BICUBIC))
    save(path, picture, overwrite=overwrite, **_metadata(like, picture.size))


def save(path, picture: Pillow.Image, *, overwrite: bool = False, **metadata) -> None:
    """Save a Pillow picture in the format the suffix of ``path`` names, whole or not at all.

    It is written under another name beside ``path`` and renamed. ``metadata``: further options of
    Pillow's ``save``. Raises as ``check_destination`` does.
    """
    path = check_destination(path, overwrite=overwrite)
    container = _BY_SUFFIX[path.suffix.lower()]
    options = container.options | metadata
    if "exif" in metadata:
        # libtiff, which compresses, cannot write EXIF directories; Pillow's own writer can.
        options.pop("compression", None)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as file:
            picture.save(file, format=container.name, **options)
        part.replace(path)
    except (RuntimeError, ValueError) as error:  # Pillow's encoders raise both
        raise ValueError(f"{path} could not be written: {error}") from error
    finally:
        part.unlink(missing_ok=True)


def _to_pillow(planes: np.ndarray, container: _Format) -> Pillow.Image:
    if planes.dtype == np.uint16 and not container.deep:
        planes = np.rint(planes / np.float32(257)).astype(np.uint8)
    # Merging whole planes is a fast loop in Pillow; interleaving them in numpy is not.
    bands = [Pillow.fromarray(plane) for plane in planes]
    return bands[0] if len(bands) == 1 else Pillow.merge("RGB", bands)


def _metadata(like: Image, size: tuple[int, int]) -> dict:
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
