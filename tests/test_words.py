"""One word per op: few files name an op, and CONTRIBUTING lists them all."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from esr_kernels.ops import OPS

PROJECT = Path(__file__).resolve().parents[1]
MOST_FILES = 12
#: Networks are made of blocks of the same names; tests, benchmarks and prose speak of all ops.
ELSEWHERE = ("tests/", "bench/", "examples/", "esr_kernels/models/")
SOURCES = {".py", ".pyi", ".h", ".cpp", ".cu", ".cuh", ".txt", ".cmake", ".toml", ".sh"}
NAMES = [op.name for op in OPS]


def files_that_say(word: str) -> set[str]:
    """Paths of the sources outside ``ELSEWHERE`` that hold the word."""
    pattern = re.compile(rf"\b{word}\b")
    paths = (p for p in sources() if not p.startswith(ELSEWHERE))
    return {p for p in paths if pattern.search((PROJECT / p).read_text(encoding="utf-8"))}


def sources() -> list[str]:
    """Paths of the checkout's source files; of a copy without git, all that are there."""
    listed = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True)
    paths = listed.stdout.splitlines() or [
        str(p.relative_to(PROJECT))
        for folder in ("csrc", "esr_kernels", "python", "cmake")
        for p in (PROJECT / folder).rglob("*")
    ]
    return [p for p in paths if Path(p).suffix in SOURCES and (PROJECT / p).is_file()]


def listed(word: str) -> set[str]:
    """Paths in the line of CONTRIBUTING's list that begins with the op."""
    text = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    block = text.partition("<!-- words:start -->")[2].partition("<!-- words:end -->")[0]
    rows = [line.split("|") for line in block.splitlines() if line.startswith(f"| `{word}` ")]
    return set(re.findall("`([^`]+)`", rows[0][2])) if rows else set()


@pytest.mark.parametrize("name", NAMES)
def test_few_files_name_an_op(name):
    assert 3 <= len(files_that_say(name)) <= MOST_FILES, sorted(files_that_say(name))


@pytest.mark.parametrize("name", NAMES)
def test_contributing_lists_them(name):
    assert listed(name) == files_that_say(name)


def test_a_word_is_found_whole():
    assert "esr_kernels/ops/esa.py" in files_that_say("esa")
    assert files_that_say("es") == set()
