"""What became of a network, line by line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import takewhile

import torch
from torch.fx import Graph, Node

from ..backends import REFERENCE
from .graph import (
    CONV3X3_PIXEL_SHUFFLE,
    ESA,
    OPS,
    SELECTIVE_SCAN,
    SPAB,
    Conv,
    Depthwise,
    filter_of,
    paths,
    shape,
    value,
)


@dataclass(frozen=True)
class Line:
    """One block. ``path``: its module. ``what``: the op it became, or ``torch`` for what runs as
    before. ``detail``: what was taken in, or why not. ``backend``: who computes it, if bound."""

    path: str
    what: str
    detail: str = ""
    backend: str = ""


@dataclass
class Report:
    """``str()`` of it is a table. ``title``: the state of the whole network in a sentence."""

    title: str
    lines: list[Line] = field(default_factory=list)

    def under(self, path: str) -> list[Line]:
        """The lines, for a parent that knows this network as ``path``."""
        return [replace(line, path=_under(path, line.path)) for line in self.lines]

    def __str__(self) -> str:
        rows = [(n.path or "(itself)", n.what, n.backend, n.detail) for n in self.lines]
        widths = [max((len(row[i]) for row in rows), default=0) for i in range(3)]
        table = ("  ".join([*map(str.ljust, row, widths), row[3]]).rstrip() for row in rows)
        return "\n".join([self.title, *(f"  {row}" for row in table)])


def _under(parent: str, names: str) -> str:
    return " + ".join(f"{parent}.{name}".rstrip(".") for name in names.split(" + "))


def describe(graph: Graph, backends: Mapping[str, str]) -> list[Line]:
    """The lines of a fused graph; ``backends``: node name -> backend, of a bound one."""
    lines: list[Line] = []
    for node in graph.nodes:
        if node.op == "call_function" and node.target in OPS:
            path = _common(paths(node))
            backend = backends.get(node.name, "")
            lines.append(Line(path, _name(node), _detail(node), backend))
        elif backends.get(node.name, REFERENCE) != REFERENCE and _computes(node):
            lines.append(Line(node.meta.get("path", ""), _name(node), "", backends[node.name]))
        elif _computes(node):
            _add_torch(lines, node)
    return lines


def _common(names: tuple[str, ...]) -> str:
    """The innermost module that holds all of them; all names where that is the network itself."""
    levels = zip(*(name.split(".") for name in names), strict=False)
    shared = [level[0] for level in takewhile(lambda level: len(set(level)) == 1, levels)]
    return ".".join(shared) if shared else " + ".join(filter(None, names))


def _name(node: Node) -> str:
    if node.target in OPS:
        return node.target.name().removeprefix("esr_kernels::")
    if node.op == "call_module":
        return "module"
    return node.target if isinstance(node.target, str) else node.target.__name__


def _detail(node: Node) -> str:
    conv = filter_of(node)
    if conv is not None:
        return _kernel(conv) + _epilogue(conv)
    if node.target is SPAB:
        return f"three 3x3, {_channels(node.args[1])}, silu, attention"
    if node.target is ESA:
        return f"{value(node.args[9]).shape[0]} channels, conv1 to the product"
    if node.target is SELECTIVE_SCAN:
        channels, states = shape(node.args[2])
        return f"{channels} channels, {states} states each"
    skip = " + enlarged picture" if node.args[4] is not None else ""
    assert node.target is CONV3X3_PIXEL_SHUFFLE
    return f"3x3, {_channels(node.args[1])}, x{node.args[3]}{skip}"


def _kernel(conv: Conv) -> str:
    if isinstance(conv, Depthwise):
        before = "" if conv.pointwise is None else f"1x1, {_channels(conv.pointwise)}, "
        return f"{before}depthwise 3x3, {value(conv.weight).shape[0]} channels"
    joined = f", {len(conv.inputs)} inputs" if len(conv.inputs) > 1 else ""
    return f"{conv.kernel}x{conv.kernel}, {_channels(conv.weight)}{joined}"


def _epilogue(conv: Conv) -> str:
    act = {"none": "", "lrelu": f", lrelu({conv.slope:g})", "spab": ", SPAB's attention"}
    added = ", + residual" if conv.residual is not None and conv.act != "spab" else ""
    return act.get(conv.act, f", {conv.act}") + added


def _channels(weight: Node) -> str:
    out, into = value(weight).shape[:2]
    return f"{into} -> {out}"


def _computes(node: Node) -> bool:
    return (
        node.op in ("call_function", "call_method", "call_module")
        and "shape" in node.meta
        and (getattr(node.target, "__name__", "") not in ("getitem", "getattr"))
    )


def _add_torch(lines: list[Line], node: Node) -> None:
    """Neighbouring steps that stay in torch share a line."""
    path = node.meta.get("path", "")
    name = _name(node)
    if lines and lines[-1].what == "torch" and lines[-1].path == path:
        lines[-1] = replace(lines[-1], detail=f"{lines[-1].detail}, {name}")
    else:
        lines.append(Line(path, "torch", name))


def dtype_name(dtype: torch.dtype) -> str:
    """``float32`` for ``torch.float32``."""
    return str(dtype).removeprefix("torch.")
