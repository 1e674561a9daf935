"""The names that ``load`` knows: the challenge's entries, with all there is to say about them."""

import ast
import csv
from dataclasses import dataclass
from importlib import resources

from .registry import find

_RELEASE = "https://github.com/Amazingren/NTIRE2024_ESR/raw"
# The commit pins the addresses of the two files that were added late; sha256 pins all content.
_COMMIT = "4dcc6540246d258f994099b28f7905ea14dc3a44"
_LATE = (38, 39)


@dataclass(frozen=True)
class OfficialFile:
    """An entry of the challenge; ``name`` is what ``load`` takes.

    ``filename`` and ``sha256``: of its weights in the official release, empty where it has none.
    ``rank``: in the report's main track, None for the baseline and where PSNR was too low to rank.
    ``parameters``, ``flops``, ``activations``, ``convolutions``: the challenge's counts, the last
    three for one picture of 256 x 256; a multiplication with its addition is one. ``options``:
    what the network is built with beside what its checkpoint says.
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
    filename: str
    sha256: str
    options: dict
    scale: int = 4
    licence: str = "MIT"

    @property
    def url(self) -> str:
        """Address of the file in the official release; empty where there is none."""
        branch = _COMMIT if self.team in _LATE else "main"
        return f"{_RELEASE}/{branch}/model_zoo/{self.filename}" if self.filename else ""


def _read_official() -> dict[str, OfficialFile]:
    table = (resources.files(__package__) / "official.csv").read_text()
    return {row["name"]: _official_file(row) for row in csv.DictReader(table.splitlines())}


def _official_file(row: dict[str, str]) -> OfficialFile:
    whole = ("team", "parameters", "flops", "activations", "convolutions")
    pairs = (pair.split("=") for pair in row["options"].split())
    return OfficialFile(
        **row
        | {key: int(row[key]) for key in whole}
        | {"rank": int(row["rank"]) if row["rank"] else None}
        | {"options": {key: ast.literal_eval(value) for key, value in pairs}}
    )


OFFICIAL: dict[str, OfficialFile] = _read_official()
_KNOWN = {n.name for n in __import__("esr_kernels.models.registry", fromlist=["x"]).NETWORKS}
OFFICIAL = {k: v for k, v in OFFICIAL.items() if v.network in _KNOWN}  # until all are written


@dataclass(frozen=True)
class ModelInfo:
    """One line of ``list_models()``: a name for ``load``, and where its network comes from.

    As in ``OfficialFile``; ``title`` and ``paper`` are the network's.
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
    licence: str
    url: str


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
            licence=file.licence if file.filename else "",
            url=file.url,
        )
        for file in OFFICIAL.values()
    ]
