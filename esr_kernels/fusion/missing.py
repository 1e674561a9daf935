"""The word that is missing: what torch computes of a fused graph, and why no op does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch.fx import Node
from torch.fx.node import map_arg

from .arithmetic import FORMULA_WORDS
from .graph import shape, value, writes

#: What ops compute of pictures, and with some arguments.
_KNOWN = frozenset(
    {torch.conv2d, torch.cat, torch.pixel_shuffle, torch.max_pool2d, torch.mean, torch.var}
    | {torch.std, F.interpolate, F.linear, F.layer_norm, F.normalize, F.adaptive_avg_pool2d}
    | {F.adaptive_max_pool2d, F.adaptive_max_pool2d_with_indices, "mean", "var", "std"}
    | FORMULA_WORDS.keys()
)


def name_of(node: Node) -> str:
    """The function, the method, or the class of the module that the node calls."""
    if node.op == "call_module":
        return node.meta["class"]
    return node.target if isinstance(node.target, str) else node.target.__name__


def why_no_op(nodes: Sequence[Node]) -> str:
    """The reason for some of torch's nodes."""
    limited: dict[str, dict[str, None]] = {}
    for node in nodes:
        limited.setdefault(_limit(node), {})[name_of(node)] = None
    if len(limited) == 1:
        return " ".join(filter(None, ("no op computes this", *limited)))
    some = (f"{', '.join(names)} {limit}" for limit, names in limited.items() if limit)
    return f"no op computes this ({'; '.join(some)})"


def _limit(node: Node) -> str:
    """How no op computes it; empty if none does in any way."""
    if writes(node) and node.op != "call_module":
        return "in place"
    if node.op == "call_module" or node.target not in _KNOWN:
        return ""
    axes = max(len(shape(n) or ()) for n in (node, *node.all_input_nodes))
    if axes != 4:
        return f"on {axes} axes"
    named = (f"{name}={text}" for name, v in node.kwargs.items() if (text := _text(v)))
    fixed = ", ".join(filter(None, (*map(_text, node.args), *named)))
    return f"with {fixed}" if fixed else "of these shapes"


def _text(argument: Any) -> str:
    """The shape of a weight, or what is no tensor; empty for biases and tensors that flow."""
    if (tensor := value(argument)) is not None:
        return "x".join(map(str, tensor.shape)) if tensor.dim() > 1 else ""
    nodes: list[Node] = []
    map_arg(argument, nodes.append)
    return "" if nodes or argument is None else str(argument)
