"""The layers of the package: a module imports only from layers below its own."""

import ast
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
PACKAGE = PROJECT / "esr_kernels"

# From the top down. A folder or module stands in exactly one line.
LAYERS = (
    {"__init__", "__main__"},
    {"cli"},
    {"train"},
    {"benchmark"},
    {"challenge"},
    {"pictures"},
    {"functional", "system", "onnx_export"},
    {"models"},
    {"fusion"},
    {"device_check"},
    {"ops"},
    {"backends"},
    {"output", "op", "formula", "_C"},
)
# What the order alone does not forbid: networks are plain torch, picture files are no tensors.
# By the module that imports, or the folder it is in.
NEVER = {
    ("models",): {"fusion", "backends", "_C"},
    ("pictures", "io"): {"torch", "functional", "models", "fusion", "ops", "backends"},
    ("pictures", "tiling"): {"torch", "numpy"},
    ("backends",): {"ops"},
}
# Of the ops, a network may use what one means and not the op itself: its ``reference`` is as plain
# as the rest of the network, and written only once.
ONLY = {("models", "ops"): "reference"}


def imports(path: Path) -> set[tuple[str, ...]]:
    """Dotted names of what a module imports, in parts; of ours without the package's name."""
    package = path.relative_to(PROJECT).with_suffix("").parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            full = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            base += node.module.split(".") if node.module else []
            # ``from . import a`` names modules; ``from .a import b`` names what is in one.
            full = [[*base, alias.name] for alias in node.names]
        else:
            continue
        found |= {tuple(p[1:] if p[0] == "esr_kernels" and len(p) > 1 else p) for p in full}
    return found


def home(path: Path) -> str:
    """The name in ``LAYERS`` that a file belongs to."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def level(name: str) -> int | None:
    return next((i for i, names in enumerate(LAYERS) if name in names), None)


def upward(path: Path) -> list[str]:
    """The imports of ``path`` that break a rule."""
    own = home(path)
    inside = path.relative_to(PACKAGE).with_suffix("").parts
    wrong = {name for at, names in NEVER.items() if inside[: len(at)] == at for name in names}
    bad = []
    for parts in imports(path):
        name, target = parts[0], level(parts[0])
        up = target is not None and target < level(own) and name != "__init__"
        if up or name in wrong or parts[-1] != ONLY.get((own, name), parts[-1]):
            bad.append(f"{path.relative_to(PROJECT)} imports {'.'.join(parts)}")
    return bad


def test_the_table_for_readers_is_complete():
    text = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    for name in set().union(*LAYERS) - {"__init__", "__main__", "_C"}:
        suffix = "/" if (PACKAGE / name).is_dir() else ".py"
        assert any(f"`{name}{suffix}`" in row for row in rows), f"no layer has {name}{suffix}"


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_arrows_point_down(path):
    assert level(home(path)) is not None, f"{home(path)} has no place in LAYERS: give it one"
    assert upward(path) == []


def test_an_arrow_that_points_up_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.PROJECT", tmp_path)
    monkeypatch.setattr(f"{__name__}.PACKAGE", tmp_path / "esr_kernels")
    for name, line in (
        ("backends/cpu/bad.py", "from ...ops import spab"),
        ("models/bad.py", "from .. import fusion"),
        ("models/blocks/bad.py", "def f():\n    import esr_kernels.fusion.halo"),
        ("models/blocks/bad.py", "from ...ops import esa"),
        ("models/blocks/bad.py", "from ...ops.esa import reference, esa"),
        ("models/blocks/bad.py", "import esr_kernels.ops"),
        ("ops/bad.py", "from ..models.architectures.span import SPAN"),
        ("pictures/tiling.py", "import torch.nn"),
        ("pictures/io/bad.py", "import torch"),
        ("output/bad.py", "from ..pictures import tiling"),
    ):
        path = tmp_path / "esr_kernels" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(line)
        assert upward(path), f"{line} in {name}"
    for name, lines in (
        ("ops/good.py", "import torch\nfrom ..backends import choose\nfrom . import spab"),
        ("models/good.py", "from ..ops.esa import reference as esa"),
    ):
        path = tmp_path / "esr_kernels" / name
        path.write_text(lines)
        assert upward(path) == []


SOURCES = [
    p
    for folder in ("csrc", "python")
    for p in sorted((PROJECT / folder).rglob("*"))
    if p.suffix in {".h", ".hpp", ".cuh", ".cpp", ".cc", ".cu", ".inl"}
]


def test_kernels_know_no_torch():
    forbidden = re.compile(r'#\s*include\s*[<"](torch|ATen|c10|caffe2)/')
    bad = [str(p.relative_to(PROJECT)) for p in SOURCES if forbidden.search(p.read_text())]
    assert bad == []
