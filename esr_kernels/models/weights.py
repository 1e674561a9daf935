"""The search for weights: in the package, on this machine, in the official release."""

import os
from pathlib import Path

from ..output.files import cache_folder
from .catalogue import OFFICIAL, OfficialFile, embedded


def find_default(name: str) -> Path:
    """Find the weights that ``load(name)`` uses: ours if the package has some, else the official.

    Errors are those of ``find_weights``.
    """
    ours = embedded(name)
    return find_weights(name) if ours is None else ours


def find_weights(name: str) -> Path:
    """Find the official weights called ``name``, and download them if they are not on this machine.

    They are looked for in the folder ``$ESR_KERNELS_WEIGHTS``, the reference folder and the cache
    folder, and then downloaded from the official release into the cache folder. A file counts only
    with the pinned sha256.

    Returns:
        The path of the file.

    Raises:
        FileNotFoundError: The weights were never released, or are not on this machine and cannot be
            downloaded; the message has the command that fixes it.
        ValueError: The name is unknown, or a file in ``$ESR_KERNELS_WEIGHTS`` has the right name
            and the wrong content.
    """
    if name not in OFFICIAL:
        raise ValueError(f"no official weights are called {name!r}; known: {', '.join(OFFICIAL)}")
    file = OFFICIAL[name]
    if not file.url:
        raise FileNotFoundError(
            f"the weights of {name!r} (team {file.team}) were never released: pass weights="
        )
    chosen = _in_chosen_folder(file)
    if chosen is not None:
        return chosen
    folders = [cache_folder()]
    if (reference := reference_folder()) is not None:
        folders.insert(0, reference / "reference" / "weights")
    for folder in folders:
        if _matches(folder / file.filename, file):
            return folder / file.filename
    return _fetch(file)


def reference_folder() -> Path | None:
    """Return the folder ``$ESR_KERNELS_REFERENCE`` if it holds reference material, else None."""
    chosen = os.environ.get("ESR_KERNELS_REFERENCE", "")
    return Path(chosen) if chosen and (Path(chosen) / "reference").is_dir() else None


def _in_chosen_folder(file: OfficialFile) -> Path | None:
    chosen = os.environ.get("ESR_KERNELS_WEIGHTS")
    if not chosen:
        return None
    path = Path(chosen) / file.filename
    if not Path(chosen).is_dir():
        raise FileNotFoundError(f"ESR_KERNELS_WEIGHTS names {chosen}, which is not a folder")
    if path.exists() and not _matches(path, file):
        # The user put it there: ignoring it silently would hide that it is not used.
        raise ValueError(
            f"{path} is not the official file (its sha256 is another): to use it all the same, "
            f"pass its path, load({str(path)!r})"
        )
    return path if path.exists() else None


def _matches(path: Path, file: OfficialFile) -> bool:
    # Imported here: it imports http and ssl, and most programs that import models never need it.
    from .download import sha256_of

    return path.is_file() and sha256_of(path) == file.sha256


def _fetch(file: OfficialFile) -> Path:
    from .download import download

    target = cache_folder() / file.filename
    try:
        return download(file.url, target, file.sha256)
    except (OSError, ValueError) as error:
        raise FileNotFoundError(
            f"the weights of {file.name!r} are not on this machine and could not be downloaded "
            f"({error}). Download them with\n"
            f"    curl -fL --create-dirs -o {target} {file.url}\n"
            f"or set ESR_KERNELS_WEIGHTS to a folder that holds {file.filename}, or pass weights="
        ) from error
