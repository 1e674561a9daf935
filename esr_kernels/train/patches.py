"""Training pictures in memory, and the batches of patches that are cut from them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..pictures import io
from .degrade import bicubic_down


@dataclass(frozen=True)
class TrainingPicture:
    """One picture at both sizes, uint8.

    Attributes:
        name: The name of its file.
        sha256: The hash of its file.
        high: The picture, ``[3, scale*h, scale*w]``.
        low: The picture downscaled, ``[3, h, w]``.
    """

    name: str
    sha256: str
    high: Tensor
    low: Tensor


def read_pictures(folder: Path, scale: int) -> list[TrainingPicture]:
    """Read all pictures of a folder, crop them to multiples of ``scale``, and downscale them.

    Returns:
        The pictures, sorted by name.

    Raises:
        FileNotFoundError: The folder is missing.
        ValueError: The folder has no pictures, or one is smaller than a low-resolution pixel.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder of training pictures at {folder}: check the path")
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in io.READABLE)
    if not paths:
        raise ValueError(f"no pictures in {folder}: expected files like {sorted(io.READABLE)[:3]}")
    return [_read_picture(path, scale) for path in paths]


def _read_picture(path: Path, scale: int) -> TrainingPicture:
    planes = (torch.from_numpy(io.read(path).pixels) * 255).round().byte()
    height, width = (side // scale * scale for side in planes.shape[1:])
    if not height or not width:
        raise ValueError(f"{path} is too small to be shrunk {scale} times: remove it")
    high = planes[:, :height, :width].contiguous()
    low = bicubic_down(high[None], scale)[0]
    return TrainingPicture(path.name, hashlib.sha256(path.read_bytes()).hexdigest(), high, low)


def sha256_of(pictures: Sequence[TrainingPicture]) -> str:
    """Hash the hashes and names of all files, in their order."""
    lines = "".join(f"{picture.sha256}  {picture.name}\n" for picture in pictures)
    return hashlib.sha256(lines.encode()).hexdigest()


class Patches:
    """Batches of random patches that depend on seed and number alone.

    A batch is ``(low, high)``: float32 ``[N, 3, patch, patch]`` and
    ``[N, 3, scale*patch, scale*patch]`` in [0, 1]. Pictures are drawn in proportion to their area,
    positions uniformly; each patch is flipped and transposed at random (eight ways).

    Args:
        pictures: The pictures to cut from. Those smaller than a patch are not used.
        patch: The side of a patch in low-resolution pixels.
        count: The number N of patches in a batch.
        seed: The seed of all random draws.

    Raises:
        ValueError: No picture is as large as a patch.
    """

    def __init__(self, pictures: Sequence[TrainingPicture], patch: int, count: int, seed: int):
        self._pictures = [p for p in pictures if min(p.low.shape[1:]) >= patch]
        if not self._pictures:
            raise ValueError(
                f"no training picture has {patch} x {patch} low-resolution pixels: add larger ones"
            )
        self._areas = torch.tensor([float(p.low[0].numel()) for p in self._pictures])
        self._patch, self._count, self._seed = patch, count, seed
        self._scale = self._pictures[0].high.shape[1] // self._pictures[0].low.shape[1]

    def batch(self, number: int) -> tuple[Tensor, Tensor]:
        """Return the batch of that number: the same at every call, on every machine."""
        # Only the low 32 bits count. The odd factor keeps the batches of different seeds apart.
        draw = torch.Generator().manual_seed((self._seed * 0x9E3779B1 + number) % 2**32)
        chosen = torch.multinomial(self._areas, self._count, replacement=True, generator=draw)
        cuts = [self._cut(self._pictures[i], draw) for i in chosen.tolist()]
        lows, highs = zip(*cuts, strict=True)
        return torch.stack(lows).float() / 255, torch.stack(highs).float() / 255

    def _cut(self, picture: TrainingPicture, draw: torch.Generator) -> tuple[Tensor, Tensor]:
        limits = (side - self._patch + 1 for side in picture.low.shape[1:])
        y, x = (int(torch.randint(limit, (), generator=draw)) for limit in limits)
        ways = torch.randint(2, (3,), generator=draw).tolist()
        places = ((picture.low, 1), (picture.high, self._scale))
        low, high = (
            _turned(planes[:, y * s : (y + self._patch) * s, x * s : (x + self._patch) * s], ways)
            for planes, s in places
        )
        return low, high


def _turned(planes: Tensor, ways: list[int]) -> Tensor:
    upside_down, mirrored, transposed = ways
    planes = planes.flip([axis for axis, flip in ((1, upside_down), (2, mirrored)) if flip])
    return planes.mT if transposed else planes
