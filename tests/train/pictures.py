"""A folder of drawn training pictures, and a recipe that is over in seconds."""

from pathlib import Path

from images import image
from PIL import Image

from esr_kernels.train.recipe import Phase, Recipe

TINY = Recipe(
    width=6,
    scale=4,
    phases=(
        Phase(14, patch=6, batch=4, loss="l1", rate=2e-3, last_rate=1e-3, warmup=3),
        Phase(6, patch=8, batch=2, loss="l2", rate=1e-3, last_rate=1e-4, autocast=False),
    ),
    held_out=2,
    every=5,
)


def draw(folder: Path, count: int = 6) -> Path:
    """Writes ``count`` drawn pictures of different sizes into ``folder`` and returns it."""
    folder.mkdir(exist_ok=True)
    for i in range(count):
        planes = (image(1, 3, 40 + 3 * i, 52 - i, seed=i)[0] * 255).round().byte()
        Image.fromarray(planes.permute(1, 2, 0).numpy()).save(folder / f"{i}.png")
    return folder
