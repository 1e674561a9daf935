"""Files of the package: the cache folder, and atomic writing."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def cache_folder() -> Path:
    """Return ``$XDG_CACHE_HOME/esr_kernels``, by default ``~/.cache/esr_kernels``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "esr_kernels"


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` that becomes ``path`` when the block succeeds.

    An error or an interrupt inside the block removes the temporary file and leaves what was at
    ``path`` before.

    Args:
        path: The file to write. Its folder must exist.

    Yields:
        The temporary file, open for writing bytes.
    """
    # Two writers of one path, in threads or processes, must not share a temporary file.
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            yield file
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``, complete or not at all."""
    with whole_file(path) as file:
        file.write(content)
