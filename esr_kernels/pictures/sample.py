"""A small picture drawn by the package itself, so that there is always something to upscale.

It shows what upscaling is judged by: thin straight lines and arcs (a suspension bridge), circles,
crossing hair-like curves (reeds), small print, smooth gradients and fine texture (water).
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDTH_PX, HEIGHT_PX = 192, 128
# Drawn larger and reduced, as real small pictures are made.
_ZOOM = 8

Points = Sequence[tuple[float, float]]
Colour = tuple[int, ...]


def draw() -> Image.Image:
    """Draw the sample, 192 x 128 RGB; the pixels depend on the version of Pillow alone."""
    size = (WIDTH_PX * _ZOOM, HEIGHT_PX * _ZOOM)
    picture = Image.fromarray(_backdrop(*size))
    pen = ImageDraw.Draw(picture)
    rng = np.random.default_rng(28)
    _sun(pen)
    _hills(pen)
    _water(picture, rng)
    _bridge(pen)
    _birds(pen)
    _reeds(pen, rng)
    _sign(pen)
    return picture.resize((WIDTH_PX, HEIGHT_PX), Image.Resampling.BICUBIC)


def _at(*points: tuple[float, float]) -> list[tuple[float, float]]:
    """Convert coordinates of the small picture to those of the drawing."""
    return [(x * _ZOOM, y * _ZOOM) for x, y in points]


def _line(pen: ImageDraw.ImageDraw, points: Points, colour: Colour, width_px: float) -> None:
    pen.line(_at(*points), fill=colour, width=max(1, round(width_px * _ZOOM)), joint="curve")


def _disc(pen: ImageDraw.ImageDraw, x: float, y: float, radius: float, **style) -> None:
    pen.ellipse(_at((x - radius, y - radius), (x + radius, y + radius)), **style)


def _backdrop(width: int, height: int) -> np.ndarray:
    """Draw an evening sky: dark blue above, peach at the horizon."""
    stops = np.array([0.0, 0.35, 0.6, 0.72])
    colours = np.array([[38, 52, 96], [122, 104, 148], [236, 158, 124], [252, 214, 160]])
    y = np.linspace(0, 1, height)
    sky = np.stack([np.interp(y, stops, colours[:, c]) for c in range(3)], axis=-1)
    return np.repeat(sky[:, None].round().astype(np.uint8), width, axis=1)


def _sun(pen: ImageDraw.ImageDraw) -> None:
    x, y = 136, 62
    _disc(pen, x, y, 15, fill=(255, 236, 190))
    for radius in np.arange(18, 40, 3.2):
        tint = (255, 226, 184) if radius < 28 else (240, 190, 168)
        _disc(pen, x, y, radius, outline=tint, width=round(0.55 * _ZOOM))


def _hills(pen: ImageDraw.ImageDraw) -> None:
    x = np.arange(0, WIDTH_PX + 1, 1.0)
    for base, height, wave, colour in (
        (80, 11, 23, (146, 112, 140)),
        (84, 8, 14, (104, 86, 124)),
        (87, 5, 9, (66, 62, 100)),
    ):
        y = base - height * (0.6 * np.sin(x / wave + wave) + 0.4 * np.sin(x / wave * 2.3))
        outline = [*zip(x, y, strict=True), (WIDTH_PX, 92), (0, 92)]
        pen.polygon(_at(*outline), fill=colour)


def _water(picture: Image.Image, rng: np.random.Generator) -> None:
    """Draw the water: the sky mirrored and darkened, broken by short bright waves."""
    shore = 90 * _ZOOM
    mirrored = np.asarray(picture)[shore - (HEIGHT_PX * _ZOOM - shore) : shore][::-1]
    dark = (mirrored * 0.62 + np.array([8, 16, 36])).astype(np.uint8)
    picture.paste(Image.fromarray(dark), (0, shore))
    pen = ImageDraw.Draw(picture)
    for _ in range(420):
        depth = rng.random() ** 1.5
        y, x = 90.5 + 38 * depth, rng.uniform(-4, WIDTH_PX)
        length = 2 + 9 * depth
        near_sun = np.exp(-(((x - 136) / 20) ** 2))
        colour = tuple(
            int(v)
            for v in np.array([120, 112, 150]) * (1 - near_sun)
            + np.array([255, 222, 176]) * near_sun
        )
        _line(pen, [(x, y), (x + length, y + rng.uniform(-0.2, 0.2))], colour, 0.3 + 0.6 * depth)


def _bridge(pen: ImageDraw.ImageDraw) -> None:
    iron, deck, towers = (34, 26, 48), 84.0, (46.0, 150.0)
    x = np.arange(0.0, WIDTH_PX + 1, 2.0)
    # A parabola between the towers and half of one on either side, as under an even load.
    middle, half = sum(towers) / 2, (towers[1] - towers[0]) / 2
    sag = np.where(
        (x >= towers[0]) & (x <= towers[1]),
        ((x - middle) / half) ** 2,
        np.clip(1 - np.minimum(abs(x - towers[0]), abs(x - towers[1])) / 60, 0, 1) ** 1.6,
    )
    cable = deck - 2 - 46 * sag
    for xi, yi in zip(x[::2], cable[::2], strict=True):
        _line(pen, [(xi, yi), (xi, deck)], iron, 0.3)
    _line(pen, list(zip(x, cable, strict=True)), iron, 0.9)
    for tower in towers:
        for side in (-2.6, 2.6):
            _line(pen, [(tower + side * 1.25, 96), (tower + side, deck - 51)], iron, 1.5)
        for y in (40, 54, 68):
            _line(pen, [(tower - 3, y), (tower + 3, y)], iron, 1.2)
            _line(pen, [(tower - 2.8, y), (tower + 2.8, y + 14)], iron, 0.45)
            _line(pen, [(tower + 2.8, y), (tower - 2.8, y + 14)], iron, 0.45)
    _line(pen, [(0, deck), (WIDTH_PX, deck)], iron, 1.6)
    _line(pen, [(0, deck + 4), (WIDTH_PX, deck + 4)], iron, 0.6)
    for xi in np.arange(0, WIDTH_PX, 4.0):
        _line(pen, [(xi, deck + 4), (xi + 2, deck), (xi + 4, deck + 4)], iron, 0.35)


def _birds(pen: ImageDraw.ImageDraw) -> None:
    for x, y, size in ((88, 18, 4), (98, 14, 3), (106, 21, 2.4), (79, 25, 2.2), (113, 12, 1.8)):
        t = np.linspace(-1, 1, 21)
        wing = y - size * (np.sqrt(abs(t)) - 0.9 * t**2)
        _line(pen, list(zip(x + size * t, wing, strict=True)), (24, 24, 48), 0.5)


def _reeds(pen: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    t = np.linspace(0, 1, 24)
    for _ in range(95):
        foot = rng.uniform(-6, 52) if rng.random() < 0.7 else rng.uniform(160, 198)
        lean, height = rng.normal(4, 9), rng.uniform(16, 46)
        x, y = foot + lean * t**2.2, 130 - height * t
        shade = rng.uniform(0.35, 1.0)
        colour = tuple(int(v * shade) for v in (96, 124, 70))
        _line(pen, list(zip(x, y, strict=True)), colour, rng.uniform(0.25, 0.6))
        if rng.random() < 0.25:
            _line(pen, [(x[-5], y[-5]), (x[-1], y[-1])], (92, 58, 38), 1.5)


def _sign(pen: ImageDraw.ImageDraw) -> None:
    """Draw a board with print in four sizes; the smallest is not legible before upscaling."""
    pen.rectangle(_at((104, 101), (106, 128)), fill=(70, 46, 34))
    pen.rectangle(_at((152, 101), (154, 128)), fill=(70, 46, 34))
    board = _at((84, 94.5), (174, 122))
    pen.rounded_rectangle(
        board,
        radius=2 * _ZOOM,
        fill=(244, 236, 214),
        outline=(70, 46, 34),
        width=round(0.8 * _ZOOM),
    )
    rows = (
        (100, 9, "esr_kernels"),
        (107.5, 5.5, "small pictures, made large"),
        (113.3, 4.6, "conv3x3 + SiLU, SPAB, ESA, shuffle"),
        (118.2, 4, "0123456789 ABCDEFGHIJKLM abcdefghijklm"),
    )
    for y, size, text in rows:
        font = ImageFont.load_default(size * _ZOOM)
        pen.text(_at((129, y))[0], text, fill=(40, 34, 48), font=font, anchor="mm")
