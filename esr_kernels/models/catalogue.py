"""The names that ``load`` knows: the challenge's entries and all facts about them."""

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
    """An entry of the challenge.

    The counts are the challenge's; those of FLOPs, activations and convolutions are for one picture
    of 256 x 256, and a multiply-add is one FLOP.

    Attributes:
        name: The name that ``load`` takes.
        network: The name of its network in the registry.
        team: The number of the team.
        team_name: The name of the team.
        rank: The rank in the report's main track; None for the baseline and where PSNR was too low.
        parameters: The number of parameters.
        flops: The number of FLOPs.
        activations: The number of activations.
        convolutions: The number of convolutions.
        url: The address of its weights in the official release, empty where there are none.
        sha256: The hash of its weights, empty where there are none.
        options: Arguments of the network that its checkpoint does not show.
        wrapper: The entry of the checkpoint with the weights that the challenge used, where there
            are several; empty where that is the usual one.
        scale: The upscaling factor.
        licence: The licence of the weights.
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
    options: dict[str, object]
    wrapper: str
    scale: int = 4
    licence: str = "MIT"

    @property
    def filename(self) -> str:
        """The name of the file, empty where there is none."""
        return self.url.rpartition("/")[2]


def _read_official() -> dict[str, OfficialFile]:
    table = Path(__file__).with_name("official.csv").read_text()
    return {row["name"]: _official_file(row) for row in csv.DictReader(table.splitlines())}


def _official_file(row: dict[str, str]) -> OfficialFile:
    whole = ("team", "parameters", "flops", "activations", "convolutions")
    pairs = (pair.split("=") for pair in row["options"].split())
    filename = row.pop("filename")
    branch = _COMMIT if filename in _LATE else "main"
    facts: dict[str, Any] = (
        row
        | {key: int(row[key]) for key in whole}
        | {"rank": int(row["rank"]) if row["rank"] else None}
        | {"url": f"{_RELEASE}/{branch}/model_zoo/{filename}" if filename else ""}
        | {"options": {key: ast.literal_eval(value) for key, value in pairs}}
    )
    return OfficialFile(**facts)


OFFICIAL: dict[str, OfficialFile] = _read_official()


def embedded(name: str) -> Path | None:
    """Return the path of the weights of that name in the package, None if there are none."""
    path = Path(__file__).resolve().parent / "embedded" / f"{name}.safetensors"
    return path if path.is_file() else None


@dataclass(frozen=True)
class ModelInfo:
    """One entry of ``list_models()``.

    The attributes not listed here are those of ``OfficialFile``.

    Attributes:
        title: The title of the network.
        paper: The paper that describes it.
        embedded: The package holds weights of ours for this name.
        licence: The licence of the official weights.
        url: The address of the official weights.
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
        """Format two lines: the network with its figures, then its paper and its weights."""
        place = "baseline" if self.team == 0 else f"rank {self.rank}" if self.rank else "not ranked"
        ours = "ours, in the package; " if self.embedded else ""
        official = f"{self.url} ({self.licence})" if self.url else "never released"
        size = f"{self.parameters / 1e6:>7.3f} M {self.flops / 1e9:>8.2f} G  x{self.scale}"
        return (
            f"{self.name:<16}{size}  team {self.team:02d} {self.team_name}, {place}: {self.title}\n"
            f"{'':16}{self.paper}; weights: {ours}{official}"
        )


def list_models() -> list[ModelInfo]:
    """List all names that ``load`` knows, with network, team, size, paper, licence and address."""
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
