"""Widths of the pictures of a network's parts, beside those of the network.

A part that is planned by itself sees pictures of a size of our choice. On the lower levels of a
U-net they are small, and whether a program repays its borders depends on that.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Graph

from .copying import private_copy
from .pictures import observed


def shares_of(module: nn.Module) -> dict[str, float]:
    """Path -> the width of the narrowest picture that the part there is given, of the module's own.

    Parts that are given none are left out; nothing is known of a module that does not run.
    """
    widths: dict[str, int] = {}
    try:
        twin = private_copy(module, dtype=torch.float32).eval()

        def noted(path: str) -> Any:
            def note(part: nn.Module, args: tuple) -> None:
                if not path:  # another size is tried
                    widths.clear()
                found = [x.shape[-1] for x in args if isinstance(x, Tensor) and x.dim() == 4]
                if found:
                    widths[path] = min(widths.get(path, found[0]), found[0])

            return note

        for path, part in twin.named_modules():
            part.register_forward_pre_hook(noted(path))
        with torch.no_grad():
            observed(twin, torch.float32)
    except Exception:  # its code may raise anything: why it does stands in its own plan
        return {}
    whole = widths.pop("", 0)
    return {path: width / whole for path, width in widths.items()} if whole else {}


def note_share(graph: Graph, share: float) -> None:
    """Tells those who choose programs how wide the network's picture would be."""
    for node in graph.find_nodes(op="placeholder"):
        if shape := node.meta.get("shape"):
            node.meta["network_width"] = max(1, round(shape[-1] / share))
