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
    """One picture at both sizes, uint8: ``high`` ``[3, scale*h, scale*w]``, ``low`` ``[3, h, w]``;
    ``sha256`` of its file."""

    name: str
    sha256: str
    high: Tensor
    low: Tensor


def read_pairs(folder: Path, scale: int) -> list[TrainingPicture]:
    """All pictures of a folder, by name, cropped to whole multiples of ``scale`` and shrunk.

    Raises ``FileNotFoundError`` for a folder that is not there, ``ValueError`` for one without
    pictures and for a picture smaller than one low-resolution pixel.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder of training pictures at {folder}: check the path")
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in io.READABLE)
    if not paths:
        raise ValueError(f"no pictures in {folder}: expected files like {sorted(io.READABLE)[:3]}")
    return [_read_pair(path, scale) for path in paths]


def _read_pair(path: Path, scale: int) -> TrainingPicture:
    planes = (torch.from_numpy(io.read(path).pixels) * 255).round().byte()
    height, width = (side // scale * scale for side in planes.shape[1:])
    if not height or not width:
        raise ValueError(f"{path} is too small to be shrunk {scale} times: remove it")
    high = planes[:, :height, :width].contiguous()
    low = bicubic_down(high[None], scale)[0]
    return TrainingPicture(path.name, hashlib.sha256(path.read_bytes()).hexdigest(), high, low)


def sha256_of(pairs: Sequence[TrainingPicture]) -> str:
    """One hash for all files, names and order included."""
    lines = "".join(f"{pair.sha256}  {pair.name}\n" for pair in pairs)
    return hashlib.sha256(lines.encode()).hexdigest()


class Patches:
    """Random patches of pictures, as batches that depend on seed and number alone.

    A batch is ``(low, high)``: float32 ``[N, 3, patch, patch]`` and ``[N, 3, scale*patch,
    scale*patch]`` in [0, 1]. Pictures are drawn by area, places evenly; each patch is flipped and
    transposed at random (eight ways). ``patch``: side in low-resolution pixels. Raises
    ``ValueError`` when no picture is that large.
    """

    def __init__(self, pairs: Sequence[TrainingPicture], patch: int, count: int, seed: int):
        self._pairs = [pair for pair in pairs if min(pair.low.shape[1:]) >= patch]
        if not self._pairs:
            raise ValueError(
                f"no training picture has {patch} x {patch} low-resolution pixels: give larger ones"
            )
        self._areas = torch.tensor([float(pair.low[0].numel()) for pair in self._pairs])
        self._patch, self._count, self._seed = patch, count, seed
        self._scale = self._pairs[0].high.shape[1] // self._pairs[0].low.shape[1]

    def batch(self, number: int) -> tuple[Tensor, Tensor]:
        """The batch of that number: the same at every call, on every machine."""
        # Only the low 32 bits count. An odd factor keeps runs of other seeds apart.
        draw = torch.Generator().manual_seed((self._seed * 0x9E3779B1 + number) % 2**32)
        chosen = torch.multinomial(self._areas, self._count, replacement=True, generator=draw)
        cuts = [self._cut(self._pairs[i], draw) for i in chosen.tolist()]
        lows, highs = zip(*cuts, strict=True)
        return torch.stack(lows).float() / 255, torch.stack(highs).float() / 255

    def _cut(self, pair: TrainingPicture, draw: torch.Generator) -> tuple[Tensor, Tensor]:
        limits = (side - self._patch + 1 for side in pair.low.shape[1:])
        y, x = (int(torch.randint(limit, (), generator=draw)) for limit in limits)
        ways = torch.randint(2, (3,), generator=draw).tolist()
        places = ((pair.low, 1), (pair.high, self._scale))
        low, high = (
            _turned(planes[:, y * s : (y + self._patch) * s, x * s : (x + self._patch) * s], ways)
            for planes, s in places
        )
        return low, high


def _turned(planes: Tensor, ways: list[int]) -> Tensor:
    upside_down, mirrored, transposed = ways
    planes = planes.flip([axis for axis, flip in ((1, upside_down), (2, mirrored)) if flip])
    return planes.mT if transposed else planes
