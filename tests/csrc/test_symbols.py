"""What the compiled kernels hold: no instruction may leak out that a lesser processor lacks.

The linker keeps one copy of a weak symbol. If an AVX-512 object held one that others hold too (a
template of the standard library, an inline function outside ``esr::<isa>``), a processor without
AVX-512 could be given that copy.
"""

from __future__ import annotations

import platform
import re
from pathlib import Path

import pytest
from building import call, native, tool

from esr_kernels.backends.cpu import _C

on_x86 = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="about instruction sets of x86"
)
WIDE = re.compile(r"%[yz]mm\d|%k[0-7]\b|\tv[a-z0-9]+\s+.*%[xyz]mm")
# What an object may take from elsewhere; everything else would have to be compiled with it.
ALLOWED_FROM_LIBC = {"memset", "memcpy", "memmove", "_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail"}


def kernel_objects() -> dict[str, Path]:
    """Object of ``kernels.cpp`` per instruction set."""
    return {n: p for n, p in native().objects.items() if p.stem == n and n in _isas()}


def _isas() -> list[str]:
    if _C is None:
        pytest.skip("esr_kernels._C is not built")
    return _C.built_isas()


def other_objects() -> dict[str, Path]:
    return {n: p for n, p in native().objects.items() if n not in _isas()}


def symbols(path: Path) -> list[tuple[str, str]]:
    """``(kind, demangled name)`` of every symbol; ``U`` is one that the object takes."""
    lines = call(tool("nm"), "-C", path).splitlines()
    found = [re.match(r"[0-9a-f ]{16} (\S) (.*)", line) for line in lines]
    return [m.groups() for m in found if m]


def leaks(isa: str, found: list[tuple[str, str]]) -> list[str]:
    """Shared symbols that are not of this instruction set's own namespace."""
    own = re.compile(rf"(?:(?:vtable|typeinfo|guard variable) for )?(?:\w+ )?esr::{isa}::")
    shared = [name for kind, name in found if kind in "VWuvwTDBR"]
    return [name for name in shared if not own.match(name)]


@pytest.mark.slow
def test_every_instruction_set_is_compiled():
    assert set(kernel_objects()) == set(_isas())
    assert "program" in other_objects() and "dispatch" in other_objects()


@pytest.mark.slow
def test_shared_symbols_stay_in_their_namespace():
    for isa, path in kernel_objects().items():
        found = symbols(path)
        assert f"esr::{isa}::kernels" in [name for _, name in found]
        assert leaks(isa, found) == [], path.name
        taken = {name for kind, name in found if kind == "U"}
        assert taken <= ALLOWED_FROM_LIBC, path.name


def test_a_leak_is_found():
    found = [
        ("W", "esr::avx2::conv(int)"),
        ("W", "void esr::avx2::row<(esr::Act)0>(esr::ConvRow const&)"),
        ("t", "esr::helper()"),
        ("W", "esr::Geometry::row_stride(int) const"),
        ("W", "void std::vector<float>::_M_realloc_insert()"),
        ("u", "esr::avx512::table"),
        ("T", "start"),
    ]
    assert leaks("avx2", found) == [name for _, name in found[3:]]


def wide_instructions(path: Path) -> list[str]:
    """Instructions of AVX and later."""
    text = call(tool("objdump"), "-d", "--no-show-raw-insn", path)
    return [line.strip() for line in text.splitlines() if WIDE.search(line)]


@on_x86
@pytest.mark.slow
def test_only_wide_kernels_are_wide():
    objects = kernel_objects()
    assert wide_instructions(objects["avx2"]) and wide_instructions(objects["avx512"])
    for name, path in {"sse2": objects["sse2"], **other_objects()}.items():
        assert wide_instructions(path) == [], name


@on_x86
@pytest.mark.slow
def test_avx2_holds_no_avx512():
    path = kernel_objects()["avx2"]
    assert [line for line in wide_instructions(path) if re.search(r"%zmm|%k[0-7]\b", line)] == []


@on_x86
def test_the_module_is_wide_only_in_its_kernels():
    """In the linked module too, where the compiler sees all sources at once."""
    _isas()
    text = call(tool("objdump"), "-d", "-C", "--no-show-raw-insn", _C.__file__)
    function, wide = "", set()
    for line in text.splitlines():
        if header := re.match(r"[0-9a-f]+ <(.*)>:$", line):
            function = header.group(1)
        elif WIDE.search(line):
            wide.add(function)
    if not any("esr::" in name for name in wide):
        pytest.skip("the module is stripped: its functions have no names")
    assert [name for name in wide if not re.search(r"\besr::avx(2|512)::", name)] == []


def test_the_module_shows_one_symbol():
    _isas()
    found = call(tool("nm"), "-D", "--defined-only", "-C", _C.__file__)
    assert "PyInit__C" in found
    assert "esr::" not in found, "another library's symbols could take these over"
