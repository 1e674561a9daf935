"""Reports of ``explain``: one line per block of a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import takewhile

import torch
from torch.fx import Graph, Node

from ..backends import REFERENCE
from ..op import called_op
from .graph import paths, shapes


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
        if (op := called_op(node)) is not None:
            path = _common(paths(node))
            backend = backends.get(node.name, "")
            lines.append(Line(path, op.name, op.detail(*shapes(node)), backend))
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
    if node.op == "call_module":
        return "module"
    return node.target if isinstance(node.target, str) else node.target.__name__


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
