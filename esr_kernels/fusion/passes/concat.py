"""A concatenation that only convolutions read is never made: they read its parts."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch.fx import Graph, Node

from ..graph import conv_of, direct_conv_of, in_order


def elide_concat(graph: Graph) -> None:
    """``conv(cat(a, b), ...)`` becomes ``conv([a, b], ...)``."""
    for node in reversed(list(in_order(graph, torch.cat))):  # outer ones of nested ones first
        if node.args[1:] != (1,):
            continue
        users = [(user, conv_of(user) or direct_conv_of(user)) for user in node.users]
        if not all(_only_input(conv, node) for _, conv in users):
            continue
        for user, conv in users:
            inputs = tuple(part for x in conv.inputs for part in _parts(x, node))
            user.args = replace(conv, inputs=inputs).args
        graph.erase_node(node)


def _only_input(conv, node: Node) -> bool:
    return conv is not None and node in conv.inputs and conv.residual is not node


def _parts(x: Node, cat: Node) -> list[Node]:
    return list(cat.args[0]) if x is cat else [x]
