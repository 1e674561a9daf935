"""What a network gives to its parts, seen while it runs.

A part that is planned by itself sees pictures of a size of our choice. What kind of pictures it
takes, and whether any, need not be guessed then; and on the lower levels of a U-net they are small:
whether a program repays its borders depends on that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Graph

from .copying import private_copy
from .pictures import observed


@dataclass(frozen=True)
class Given:
    """What one part is given.

    ``share``: the width of the narrowest picture that it gets, of the network's own. ``pictures``:
    shapes of its inputs in one call; () if they are not known, None if it is never given pictures
    of one size alone.
    """

    share: float = 1.0
    pictures: tuple[tuple[int, ...], ...] | None = ()


#: A network that is accelerated as a whole.
NETWORK = Given()


class _Seen:
    """What the parts of a network are given, as it is collected."""

    def __init__(self) -> None:
        self._widths: dict[str, int] = {}
        self._pictures: dict[str, tuple[tuple[int, ...], ...] | None] = {}

    def note(self, path: str, values: Sequence[Any]) -> None:
        """Adds one call of the part at ``path``; "" is the network."""
        if not path:  # another size is tried
            self._widths.clear()
            self._pictures.clear()
        shapes = [tuple(x.shape) for x in values if isinstance(x, Tensor) and x.dim() == 4]
        if shapes:
            narrowest = min(shape[-1] for shape in shapes)
            self._widths[path] = min(self._widths.get(path, narrowest), narrowest)
        alone = len(shapes) == len(values) and len({shape[2:] for shape in shapes}) == 1
        if self._pictures.get(path) is None:
            self._pictures[path] = tuple(shapes) if alone else None

    def parts(self) -> dict[str, Given]:
        """All of it; nothing if the network itself was given no picture."""
        whole = self._widths.get("")
        if whole is None:
            return {}
        return {
            path: Given(self._widths.get(path, whole) / whole, pictures)
            for path, pictures in self._pictures.items()
            if path
        }


def given_in(module: nn.Module) -> dict[str, Given]:
    """Path of a part -> what it is given; without parts that the network does not call.

    Nothing is known of a module that does not run.
    """
    seen = _Seen()
    try:
        twin = private_copy(module, dtype=torch.float32).eval()
        for path, part in twin.named_modules():
            part.register_forward_pre_hook(_noting(seen, path), with_kwargs=True)
        with torch.no_grad():
            observed(twin, torch.float32)
    except Exception:  # its code may raise anything: why it does stands in its own plan
        return {}
    return seen.parts()


def _noting(seen: _Seen, path: str) -> Any:
    def note(part: nn.Module, args: tuple, kwargs: dict) -> None:
        seen.note(path, (*args, *kwargs.values()))

    return note


def note_share(graph: Graph, share: float) -> None:
    """Tells those who choose programs how wide the network's picture would be."""
    for node in graph.find_nodes(op="placeholder"):
        if shape := node.meta.get("shape"):
            node.meta["network_width"] = max(1, round(shape[-1] / share))
