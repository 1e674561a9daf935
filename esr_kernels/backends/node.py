"""What the nodes of a fused graph are."""

from __future__ import annotations

from typing import Any

from torch.fx import Node


def op_name(node: Any) -> str | None:
    """The name of the op that a node calls, None for anything else."""
    if not isinstance(node, Node) or node.op != "call_function":
        return None
    if getattr(node.target, "namespace", None) != "esr_kernels":
        return None
    return node.target._schema.name.removeprefix("esr_kernels::")
