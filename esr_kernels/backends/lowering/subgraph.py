"""One program of a graph's nodes, as a module."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Node
from torch.fx.node import map_arg

from ...op import called_op
from .program import OpSet
from .shapes import shape_of

_SHIFTS = {operator.add: 1, torch.add: 1, operator.sub: -1, torch.sub: -1}


def shift_of(node: Node, constants: dict[Node, Tensor]) -> Tensor | None:
    """``s`` where the node computes ``x + s`` with one number per channel, else None."""
    if node.op != "call_function" or node.target not in _SHIFTS or len(node.args) != 2:
        return None
    if node.kwargs or not isinstance(node.args[0], Node) or node.args[1] not in constants:
        return None
    value = constants[node.args[1]]
    if value.dim() < 3 or value.numel() != value.shape[-3]:
        return None
    return _SHIFTS[node.target] * value.reshape(-1)


class Subgraph(nn.Module):
    """Some op nodes of a graph, as one program.

    ``forward`` takes the tensors of ``pictures`` and returns those of ``outputs``, in ``dtypes``;
    channels_last if its first input is.
    """

    def __init__(self, nodes: list[Node], constants: dict, dtype: torch.dtype, op_set: OpSet):
        super().__init__()
        self.dtypes: list[torch.dtype] = []
        self.pictures: list[Node] = []  # whose tensors the program reads, in its order
        self.outputs = [n for n in nodes if any(u not in nodes for u in n.users)]
        self.builder = op_set.builder(dtype)
        self._resizes = op_set.resizes
        values: dict[Node, Any] = {}
        for node in nodes:
            values[node] = self._step(node, values, constants, op_set)
        for node in self.outputs:
            self.builder.output(values[node])

    def _picture(self, node: Node, shift: Tensor | None = None) -> int:
        self.pictures.append(node)
        if self._resizes and shape_of(node)[2:] == (1, 1):
            return self.builder.pixel(shape_of(node)[1])
        return self.builder.input(shape_of(node)[1], shift)

    def _step(self, node: Node, values: dict, constants: dict, op_set: OpSet) -> Any:
        shift = shift_of(node, constants)
        if shift is not None:
            return self._picture(node.args[0], shift)
        for read in node.all_input_nodes:
            if read not in values and read not in constants:
                values[read] = self._picture(read)
        args = map_arg(node.args, lambda n: constants[n] if n in constants else values[n])
        op = called_op(node)
        if op is None:  # an element of an op's results
            return args[0][args[1]]
        return op_set.lower[op.name](self.builder, *args)

    def forward(self, *pictures: Tensor) -> list[Tensor]:
        return self.builder.run(pictures, self.dtypes)
