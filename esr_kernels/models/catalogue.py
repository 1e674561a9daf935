"""The names that ``load`` knows: official weights, with all there is to say about them."""

from dataclasses import dataclass

from .registry import find

# The commit pins the team files' addresses; the sha256 below pin their content in any case.
_RELEASE = "https://github.com/Amazingren/NTIRE2024_ESR/raw"
_COMMIT = "4dcc6540246d258f994099b28f7905ea14dc3a44"


@dataclass(frozen=True)
class OfficialFile:
    """A file of official weights; ``name`` is what ``load`` takes, ``sha256`` pins the content."""

    name: str
    network: str
    team: int
    parameters: int
    url: str
    sha256: str
    scale: int = 4
    licence: str = "MIT"

    @property
    def filename(self) -> str:
        """Name of the file, in every folder it is looked for."""
        return self.url.rsplit("/", 1)[1]


OFFICIAL: dict[str, OfficialFile] = {
    file.name: file
    for file in (
        OfficialFile(
            name="span",
            network="span",
            team=38,
            parameters=150_688,
            url=f"{_RELEASE}/{_COMMIT}/model_zoo/team38_span_ch28_slim.pth",
            sha256="6c80f05048313289c6526e5fc9726688d7bb3dfdd6ae3c8b1e7dd09f601e5971",
        ),
        OfficialFile(
            name="span-26",
            network="span",
            team=39,
            parameters=130_828,
            url=f"{_RELEASE}/{_COMMIT}/model_zoo/team39_spantiny_ch26_slim.pth",
            sha256="30bf224aee5d3fb9cbc7a3bf164a294f957f65c45f5b271052947097922040a5",
        ),
        OfficialFile(
            name="rlfn",
            network="rlfn",
            team=0,
            parameters=317_218,
            url=f"{_RELEASE}/main/model_zoo/team00_rlfn.pth",
            sha256="3c9be7b9d7a4bece9b68c83a56a1ffb38010f76413d5f215be6b4be842e18fb2",
        ),
    )
}


@dataclass(frozen=True)
class ModelInfo:
    """One line of ``list_models()``: a name for ``load``, and where its network comes from."""

    name: str
    network: str
    title: str
    team: int
    scale: int
    parameters: int
    paper: str
    licence: str
    url: str

    def __str__(self) -> str:
        return (
            f"{self.name:<10} x{self.scale}  {self.parameters:>9,} parameters  "
            f"{self.title} (NTIRE 2024 team {self.team:02d}, {self.licence})"
        )


def list_models() -> list[ModelInfo]:
    """All names that ``load`` knows, each with network, team, size, paper, licence and address."""
    return [
        ModelInfo(
            name=file.name,
            network=file.network,
            title=find(file.network).title,
            team=file.team,
            scale=file.scale,
            parameters=file.parameters,
            paper=find(file.network).paper,
            licence=file.licence,
            url=file.url,
        )
        for file in OFFICIAL.values()
    ]
