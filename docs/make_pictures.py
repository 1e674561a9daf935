"""Makes the README's picture: the drawn sample, enlarged bicubically and by ``esr-kernels``.

python docs/make_pictures.py     # writes docs/before_after.png
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

TARGET = Path(__file__).with_name("before_after.png")
# Of the small picture, in its pixels: left, top, right, bottom. Sign, reeds, rails and sun.
CROP_PX = (81, 40, 192, 128)
GAP_PX, CAPTION_PX = 8, 28
CAPTIONS = ("bicubic", "esr-kernels upscale (SPAN)")


def esr_kernels(*arguments: str | Path) -> None:
    """The command, as a user runs it."""
    subprocess.run([sys.executable, "-m", "esr_kernels", *map(str, arguments)], check=True)


def enlarged() -> tuple[Image.Image, Image.Image]:
    """The sample four times as large: bicubic, and by the command."""
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder, "small.png"), Path(folder, "large.png")
        esr_kernels("sample", small)
        esr_kernels("upscale", small, large)
        ours = Image.open(large).convert("RGB")
        bicubic = Image.open(small).convert("RGB").resize(ours.size, Image.Resampling.BICUBIC)
    return bicubic, ours


def side_by_side(pictures: tuple[Image.Image, ...]) -> Image.Image:
    """The same part of each picture, pixel for pixel, with its caption below."""
    box = tuple(4 * edge for edge in CROP_PX)
    parts = [picture.crop(box) for picture in pictures]
    width, height = parts[0].size
    sheet = Image.new("RGB", (2 * width + GAP_PX, height + CAPTION_PX), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(16)
    for i, (part, caption) in enumerate(zip(parts, CAPTIONS, strict=True)):
        left = i * (width + GAP_PX)
        sheet.paste(part, (left, 0))
        pen.text((left + width // 2, height + CAPTION_PX // 2), caption, "black", font, anchor="mm")
    return sheet


if __name__ == "__main__":
    side_by_side(enlarged()).save(TARGET, optimize=True)
    print(TARGET)
