"""Reports of ``explain``: one line per block of a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby, takewhile

import torch
from torch.fx import Graph, Node

from ..backends import REFERENCE, Assignment
from ..op import called_op
from .graph import paths, shapes
from .missing import name_of, why_no_op


@dataclass(frozen=True)
class Line:
    """One block.

    ``path``: its module. ``what``: the op it became, or ``torch`` for what runs as before.
    ``detail``: what was taken in. ``backend``: who computes it, if bound. ``why``: of what torch
    computes, the reason. ``calls``: names of the nodes of the compiled graph that compute it; lines
    with the same one are one program. Of a report with times, ``program``: its number, or 0; and
    ``share``: of the time, None for a line that did not run or whose program has a share already.
    """

    path: str
    what: str
    detail: str = ""
    backend: str = ""
    why: str = ""
    calls: tuple[str, ...] = ()
    program: int = 0
    share: float | None = None

    @property
    def in_torch(self) -> bool:
        """Whether torch computes it in the compiled graph."""
        return self.what == "torch" or self.backend == REFERENCE


@dataclass
class Report:
    """``str()`` of it is a table. ``title``: the state of the whole network in a sentence.
    ``time_ms``: of a forward whose steps were timed one by one; None where none was."""

    title: str
    lines: list[Line] = field(default_factory=list)
    time_ms: float | None = None

    def under(self, path: str) -> list[Line]:
        """The lines, for a parent that knows this network as ``path``."""
        return [replace(line, path=_under(path, line.path)) for line in self.lines]

    def __str__(self) -> str:
        timed = self.time_ms is not None
        rows = [_cells(line)[0 if timed else 1 :] for line in self.lines]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
        table = ("  ".join([*map(str.ljust, row, widths), row[-1]]).rstrip() for row in rows)
        title = f"{self.title}; {self.time_ms:.1f} ms, step by step" if timed else self.title
        return "\n".join([title, *(f"  {row}" for row in table)])


def _cells(line: Line) -> tuple[str, ...]:
    share = "" if line.share is None else f"{line.share:6.1%}"
    if line.program:
        share = share or '     "'
    backend = f"{line.backend}, program {line.program}" if line.program else line.backend
    detail = ": ".join(filter(None, (line.detail, line.why)))
    return share, line.path or "(itself)", line.what, backend, detail


def _under(parent: str, names: str) -> str:
    return " + ".join(f"{parent}.{name}".strip(".") for name in names.split(" + "))


def describe(
    graph: Graph, assignments: Mapping[str, Assignment], opaque: Mapping[str, str]
) -> list[Line]:
    """The lines of a fused graph.

    ``assignments``: by the node's name, of a bound graph. ``opaque``: paths of the modules that run
    as they are, and why; they come last.
    """
    lines = []
    last = {path: Line(path, "as it is", reason) for path, reason in opaque.items()}
    nodes = (n for n in graph.nodes if called_op(n) or _computes(n))
    for _, block in groupby(nodes, lambda n: _block(n, assignments)):
        line = _line(list(block), assignments)
        if line.what == "torch" and line.path in last:
            known = last[line.path]
            last[line.path] = replace(known, calls=known.calls + line.calls)
        else:
            lines.append(line)
    return [*lines, *last.values()]


def _block(node: Node, assignments: Mapping[str, Assignment]) -> Node | str:
    """What is the same for neighbours that share a line: those of a module that torch computes."""
    by = assignments.get(node.name)
    alone = called_op(node) or (by and by.backend != REFERENCE)
    return node if alone else node.meta.get("path", "")


def _line(nodes: list[Node], assignments: Mapping[str, Assignment]) -> Line:
    node = nodes[0]
    by = [assignments[n.name] for n in nodes if n.name in assignments]
    calls = tuple(a.call for a in by)
    backend, why = (by[0].backend or "", by[0].why) if by else ("", "")
    if op := called_op(node):
        path = _common(paths(node))
        return Line(path, op.name, op.detail(*shapes(node)), backend, why, calls)
    path = node.meta.get("path", "")
    if backend not in ("", REFERENCE):
        return Line(path, name_of(node), "", backend, calls=calls)
    names = ", ".join(map(name_of, nodes))
    return Line(path, "torch", names, why=why_no_op(nodes), calls=calls)


def with_shares(
    lines: list[Line], shares: Mapping[str, float], numbers: Iterator[int]
) -> list[Line]:
    """The lines of one plan with their shares of the time.

    ``shares``: of the nodes of its compiled graph; of a plan that did not run there are none.
    ``numbers``: for its programs.
    """
    lines_of = Counter(line.calls for line in lines if shares and line.calls)
    programs = {calls: next(numbers) for calls, n in lines_of.items() if n > 1}
    seen: set[tuple[str, ...]] = set()
    timed = []
    for line in lines:
        share = None
        if line.calls in lines_of and line.calls not in seen:
            share = sum(shares.get(call, 0.0) for call in line.calls)
        seen.add(line.calls)
        timed.append(replace(line, share=share, program=programs.get(line.calls, 0)))
    return timed


def _common(names: tuple[str, ...]) -> str:
    """The innermost module that holds all of them; all names where that is the network itself."""
    levels = zip(*(name.split(".") for name in names), strict=False)
    shared = [level[0] for level in takewhile(lambda level: len(set(level)) == 1, levels)]
    return ".".join(shared) if shared else " + ".join(filter(None, names))


def _computes(node: Node) -> bool:
    return node.op == "call_module" or (
        node.op in ("call_function", "call_method")
        and "shape" in node.meta
        and (getattr(node.target, "__name__", "") not in ("getitem", "getattr"))
    )


def dtype_name(dtype: torch.dtype) -> str:
    """``float32`` for ``torch.float32``."""
    return str(dtype).removeprefix("torch.")
