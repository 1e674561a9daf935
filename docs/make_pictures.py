"""Makes the README's picture: a photograph made small, and enlarged bicubically and by SPAN.

    python docs/make_pictures.py     # writes docs/before_after.png; needs scikit-image

The photograph is NASA's of the astronaut Eileen Collins, in the public domain, which scikit-image
ships. The small picture, a quarter as wide and high, is all that either side is made from.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from skimage import data

TARGET = Path(__file__).with_name("before_after.png")
SCALE = 4
# Of the photograph, in its pixels: left, top, right, bottom. Face, collar and shuttle.
CROP_PX = (74, 0, 498, 312)
GAP_PX, INSET_PX, PAD_PX = 8, 10, 6
CAPTIONS = ("bicubic", "esr_kernels (SPAN)")
BICUBIC = Image.Resampling.BICUBIC


def enlarged() -> tuple[Image.Image, Image.Image]:
    """The photograph made small and large again: bicubic, and by the command."""
    photograph = Image.fromarray(data.astronaut())
    width, height = photograph.size
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder, "small.png"), Path(folder, "large.png")
        photograph.resize((width // SCALE, height // SCALE), BICUBIC).save(small)
        command = [sys.executable, "-m", "esr_kernels", "upscale", str(small), str(large)]
        subprocess.run(command, check=True)
        return Image.open(small).resize((width, height), BICUBIC), Image.open(large).convert("RGB")


def side_by_side(pictures: tuple[Image.Image, ...]) -> Image.Image:
    """The same part of each picture, pixel for pixel, with its caption; nothing between them."""
    parts = [captioned(p.crop(CROP_PX), c) for p, c in zip(pictures, CAPTIONS, strict=True)]
    width, height = parts[0].size
    sheet = Image.new("RGBA", (2 * width + GAP_PX, height))
    for i, part in enumerate(parts):
        sheet.paste(part, (i * (width + GAP_PX), 0))
    return sheet


def captioned(picture: Image.Image, caption: str) -> Image.Image:
    """The picture with white words on a dark label in its lower left corner."""
    pen, font = ImageDraw.Draw(picture, "RGBA"), ImageFont.load_default(16)
    ascent, descent = font.getmetrics()
    x, baseline = INSET_PX + PAD_PX, picture.height - INSET_PX - PAD_PX - descent
    right = x + pen.textlength(caption, font) + PAD_PX
    label = INSET_PX, baseline - ascent - PAD_PX // 2, right, picture.height - INSET_PX
    pen.rounded_rectangle(label, radius=4, fill=(0, 0, 0, 170))
    pen.text((x, baseline), caption, "white", font, anchor="ls")
    return picture


if __name__ == "__main__":
    side_by_side(enlarged()).save(TARGET, optimize=True)
    print(TARGET)
