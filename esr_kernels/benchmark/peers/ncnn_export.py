"""From a torch module to ncnn's two files: a list of layers in text, and the weights.

Knows the functions that SPAN and RLFN are made of, and says which one it does not know. As ncnn's
own optimiser does, it runs a leaky ReLU inside the convolution before it.
"""

from __future__ import annotations

import operator
from collections import Counter
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from esr_kernels.models.blocks import check_picture

INPUT, OUTPUT = "in0", "out0"
_MAGIC = 7767517
_BINARY = {operator.add: 0, operator.sub: 1, operator.mul: 2, operator.truediv: 3}
_SIMPLE = {F.silu: "Swish", torch.sigmoid: "Sigmoid"}
_LEAKY_IN_CONVOLUTION = 2


@dataclass
class Layer:
    """One line of the ``.param`` file; ``params`` are ncnn's numbered settings of that layer."""

    kind: str
    inputs: list[str]
    output: str
    params: dict[int, object]


def export(module: nn.Module, x: Tensor) -> tuple[str, bytes]:
    """``(param, bin)`` of ``module`` for pictures of the size of ``x`` ``[1, C, H, W]``.

    The picture goes into the blob ``INPUT`` without its first dimension, the result comes out of
    ``OUTPUT``. Raises ``RuntimeError`` naming a function that has no layer here.
    """
    writer = _Writer(fx.symbolic_trace(module))
    with torch.no_grad():
        writer.run(x)
    return _text(writer.layers), b"".join(writer.weights)


class _Writer(fx.Interpreter):
    """Runs the graph on real tensors, and writes the layer of each node beside it.

    So sizes, which ncnn wants as numbers, are known: only nodes whose value is a tensor in the
    batch become layers. ``blobs`` says under which name ncnn has a node's value.
    """

    def __init__(self, graph: fx.GraphModule):
        super().__init__(graph)
        self.layers: list[Layer] = []
        self.weights: list[bytes] = []
        self.blobs: dict[fx.Node, str] = {}

    def run_node(self, node: fx.Node):
        value = super().run_node(node)
        if node.op == "placeholder":
            self._add(node, "Input", [], {})
        elif node.op == "output":
            self.layers.append(Layer("Noop", [self.blobs[node.args[0]]], OUTPUT, {}))
        elif node.op == "get_attr":
            self._constant(node, value)
        elif isinstance(value, Tensor):
            self._layer(node, value)
        return value

    def _layer(self, node: fx.Node, value: Tensor) -> None:
        module = self.module.get_submodule(node.target) if node.op == "call_module" else None
        if isinstance(module, nn.Conv2d):
            self._convolution(node, module)
        elif isinstance(module, nn.PixelShuffle):
            self._add(node, "PixelShuffle", node.args[:1], {0: module.upscale_factor})
        elif node.target is check_picture:
            self.blobs[node] = self.blobs[node.args[0]]
        elif node.target in _BINARY:
            self._binary(node)
        elif node.target in _SIMPLE:
            self._add(node, _SIMPLE[node.target], node.args[:1], {})
        elif node.target is F.leaky_relu:
            self._leaky_relu(node, *node.args, **node.kwargs)
        elif node.target is torch.cat:
            self._add(node, "Concat", node.args[0], {0: 0})
        elif node.target is F.interpolate and node.kwargs["mode"] == "bilinear":
            height, width = value.shape[2:]
            self._add(node, "Interp", node.args[:1], {0: 2, 3: height, 4: width, 6: 0})
        elif node.target is F.max_pool2d:
            self._max_pool(node, *node.args, **node.kwargs)
        else:
            raise NotImplementedError(f"no ncnn layer here for {node.target} ({module})")

    def _add(self, node: fx.Node, kind: str, inputs, params: dict[int, object]) -> None:
        self.blobs[node] = INPUT if kind == "Input" else node.name
        names = [self.blobs[value] for value in inputs]
        self.layers.append(Layer(kind, names, self.blobs[node], params))

    def _constant(self, node: fx.Node, value: Tensor) -> None:
        channels, height, width = value.shape[-3:]
        self._add(node, "MemoryData", [], {0: width, 1: height, 2: channels})
        self._store(value)

    def _convolution(self, node: fx.Node, conv: nn.Conv2d) -> None:
        if conv.groups != 1 or conv.dilation != (1, 1) or len({*conv.padding}) != 1:
            raise NotImplementedError(f"no ncnn layer here for {conv}")
        params: dict[int, object] = {
            0: conv.out_channels,
            1: conv.kernel_size[1],
            11: conv.kernel_size[0],
        }
        params |= {3: conv.stride[1], 4: conv.padding[1], 5: int(conv.bias is not None)}
        self._add(node, "Convolution", node.args[:1], params | {6: conv.weight.numel()})
        self.weights.append(bytes(4))  # float32 follows
        self._store(conv.weight)
        if conv.bias is not None:
            self._store(conv.bias)

    def _binary(self, node: fx.Node) -> None:
        left, right = node.args
        if isinstance(right, fx.Node):
            self._add(node, "BinaryOp", [left, right], {0: _BINARY[node.target]})
        else:
            params = {0: _BINARY[node.target], 1: 1, 2: float(right)}
            self._add(node, "BinaryOp", [left], params)

    def _leaky_relu(self, node, source: fx.Node, negative_slope: float, inplace=False) -> None:
        before = self.layers[-1]
        alone = before.output == self.blobs[source] and len(source.users) == 1
        if before.kind == "Convolution" and alone:
            before.params |= {9: _LEAKY_IN_CONVOLUTION, -23310: f"1,{negative_slope:e}"}
            self.blobs[node] = before.output
        else:
            self._add(node, "ReLU", [source], {0: negative_slope})

    def _max_pool(self, node, source: fx.Node, kernel_size: int, stride: int, **rest) -> None:
        if rest["padding"] or rest["ceil_mode"] or rest["dilation"] != 1:
            raise NotImplementedError(f"no ncnn layer here for this pooling: {node.kwargs}")
        # Pad mode 1: no padding, sizes rounded down.
        self._add(node, "Pooling", [source], {0: 0, 1: kernel_size, 2: stride, 5: 1})

    def _store(self, tensor: Tensor) -> None:
        self.weights.append(tensor.detach().float().contiguous().numpy().tobytes())


def _text(layers: list[Layer]) -> str:
    """The ``.param`` file. A blob has one reader in ncnn, so a layer ``Split`` copies others."""
    readers = Counter(name for layer in layers for name in layer.inputs)
    copies = {name: iter(range(n)) for name, n in readers.items() if n > 1}
    lines, blobs = [], 0
    for number, layer in enumerate(layers):
        inputs = [f"{n}_{next(copies[n])}" if n in copies else n for n in layer.inputs]
        params = " ".join(f"{key}={value}" for key, value in layer.params.items())
        names = " ".join([*inputs, layer.output])
        lines.append(f"{layer.kind} layer{number} {len(inputs)} 1 {names} {params}".rstrip())
        blobs += 1
        if layer.output in copies:
            parts = [f"{layer.output}_{i}" for i in range(readers[layer.output])]
            names = " ".join([layer.output, *parts])
            lines.append(f"Split split{number} 1 {len(parts)} {names}")
            blobs += len(parts)
    return "\n".join([str(_MAGIC), f"{len(lines)} {blobs}", *lines]) + "\n"
