"""Shapes that a graph's nodes have for its test picture."""

from __future__ import annotations

from torch import Tensor
from torch.fx import Node
from torch.fx.node import map_arg


def shape_of(node: Node) -> tuple[int, ...]:
    """The node's shape for a test picture; () if it is no tensor."""
    return node.meta.get("shape", ())


def outlined(node: Node, constants: dict[Node, Tensor]) -> tuple:
    """An op's schema arguments with shapes in place of tensors."""
    return map_arg(
        node.args, lambda n: tuple(constants[n].shape) if n in constants else shape_of(n)
    )
