"""The names that ``load`` knows: the challenge's entries, with all there is to say about them."""

import ast
import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .registry import find

_RELEASE = "https://github.com/Amazingren/NTIRE2024_ESR/raw"
# The commit pins the addresses of the two files that were added late; sha256 pins all content.
_COMMIT = "4dcc6540246d258f994099b28f7905ea14dc3a44"
_LATE = ("team38_span_ch28_slim.pth", "team39_spantiny_ch26_slim.pth")


@dataclass(frozen=True)
class OfficialFile:
    """An entry of the challenge; ``name`` is what ``load`` takes.

    ``url`` and ``sha256``: of its weights in the official release, empty where it has none.
    ``rank``: in the report's main track, None for the baseline and where PSNR was too low to rank.
    ``parameters``, ``flops``, ``activations``, ``convolutions``: the challenge's counts, the last
    three for one picture of 256 x 256; a multiplication with its addition is one. ``options``:
    what the network is built with beside what its checkpoint says. ``wrapper``: of several entries
    of the file that hold weights, the one that the challenge used; empty where that is the usual.
    """

    name: str
    network: str
    team: int
    team_name: str
    rank: int | None
    parameters: int
    flops: int
    activations: int
    convolutions: int
    url: str
    sha256: str
    options: dict
    wrapper: str
    scale: int = 4
    licence: str = "MIT"

    @property
    def filename(self) -> str:
        """Name of the file, in every folder it is looked for; empty where there is none."""
        return self.url.rpartition("/")[2]


def _read_official() -> dict[str, OfficialFile]:
    table = Path(__file__).with_name("official.csv").read_text()
    return {row["name"]: _official_file(row) for row in csv.DictReader(table.splitlines())}


def _official_file(row: dict[str, str]) -> OfficialFile:
    whole = ("team", "parameters", "flops", "activations", "convolutions")
    pairs = (pair.split("=") for pair in row["options"].split())
    filename = row.pop("filename")
    branch = _COMMIT if filename in _LATE else "main"
    values: dict[str, Any] = (
        row
        | {key: int(row[key]) for key in whole}
        | {"rank": int(row["rank"]) if row["rank"] else None}
        | {"url": f"{_RELEASE}/{branch}/model_zoo/{filename}" if filename else ""}
        | {"options": {key: ast.literal_eval(value) for key, value in pairs}}
    )
    return OfficialFile(**values)


OFFICIAL: dict[str, OfficialFile] = _read_official()


def embedded(name: str) -> Path | None:
    """The weights of that name that are part of the package; None where there are none."""
    path = Path(__file__).resolve().parent / "embedded" / f"{name}.safetensors"
    return path if path.is_file() else None


@dataclass(frozen=True)
class ModelInfo:
    """One entry of ``list_models()``: a name for ``load``, and where its network comes from.

    As in ``OfficialFile``; ``title`` and ``paper`` are the network's. ``embedded``: whether weights
    of ours are part of the package; ``licence`` and ``url`` are those of the official weights.
    """

    name: str
    network: str
    title: str
    paper: str
    team: int
    team_name: str
    rank: int | None
    scale: int
    parameters: int
    flops: int
    embedded: bool
    licence: str
    url: str

    def __str__(self) -> str:
        """Two lines: the network and its figures; its paper, and where its weights come from."""
        place = "baseline" if self.team == 0 else f"rank {self.rank}" if self.rank else "not ranked"
        ours = "ours, in the package; " if self.embedded else ""
        official = f"{self.url} ({self.licence})" if self.url else "never released"
        size = f"{self.parameters / 1e6:>7.3f} M {self.flops / 1e9:>8.2f} G  x{self.scale}"
        return (
            f"{self.name:<16}{size}  team {self.team:02d} {self.team_name}, {place}: {self.title}\n"
            f"{'':16}{self.paper}; weights: {ours}{official}"
        )


def list_models() -> list[ModelInfo]:
    """All names that ``load`` knows, each with network, team, size, paper, licence and address."""
    return [
        ModelInfo(
            name=file.name,
            network=file.network,
            title=find(file.network).title,
            paper=find(file.network).paper,
            team=file.team,
            team_name=file.team_name,
            rank=file.rank,
            scale=file.scale,
            parameters=file.parameters,
            flops=file.flops,
            embedded=embedded(file.name) is not None,
            licence=file.licence if file.url else "",
            url=file.url,
        )
        for file in OFFICIAL.values()
    ]
