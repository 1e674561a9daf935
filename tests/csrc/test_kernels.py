"""The standalone C++ tests: natively, emulated on other processors, and under sanitizers."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

import pytest
from building import Build, build, call, empty_folder, native, tool

pytestmark = pytest.mark.slow
PROGRAMS = (
    *("kernels_test", "taps_test", "sizes_test", "steps_test"),
    *("formula_test", "selective_scan_test", "threads_test"),
)
on_x86 = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="emulates lesser x86 processors"
)


@cache
def program(name: str) -> Path:
    return native().program(name)


def passed(output: str) -> list[str]:
    """The instruction sets that a test program ran."""
    return [line.split()[0] for line in output.splitlines() if line.endswith(" passed")]


@pytest.mark.parametrize("name", PROGRAMS)
def test_here(name):
    from esr_kernels.backends.cpu import _C

    ran = passed(call(program(name)))
    assert ran and (_C is None or ran == _C.isas())


def test_tiles():
    """The kernels over emulated matrix tiles, and over real ones where the processor has them."""
    from esr_kernels.backends.cpu import _C

    ran = passed(call(native().program("tiles_test", "-Wno-psabi")))
    assert ran == ["emulated", *(["amx"] if _C and "amx" in _C.isas() else [])]


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize(
    ("cpu", "isas"), [("Nehalem", ["sse2"]), ("qemu64", ["sse2"]), ("Haswell", ["avx2", "sse2"])]
)
@on_x86
def test_lesser_processor(cpu, isas, name):
    """One binary holds every instruction set; where a processor lacks one, it must not be touched:
    the emulator ends the program at an instruction that its processor does not have."""
    emulator = tool("qemu-x86_64", "qemu-x86_64-static")
    if "avx2" in isas and not emulates_avx2(emulator):
        pytest.skip("this qemu does not know AVX2; 7.2 does")
    assert passed(call(emulator, "-cpu", cpu, program(name))) == isas


def emulates_avx2(emulator: str) -> bool:
    version = call(emulator, "--version").split()[2]
    return tuple(int(n) for n in version.split(".")[:2]) >= (7, 2)


@cache
def for_arm() -> Build:
    compiler = tool("aarch64-linux-gnu-g++")
    return build(empty_folder("arm"), compiler, ("-static",), processor="aarch64")


@pytest.mark.parametrize("name", PROGRAMS)
def test_neon(name):
    """Natively on ARM ``test_here`` does this; elsewhere in emulation."""
    emulator = tool("qemu-aarch64", "qemu-aarch64-static")
    assert passed(call(emulator, for_arm().program(name))) == ["neon"]


def test_no_warnings():
    """GCC's are read here, and the other compiler's in ``test_clang``."""
    assert "warning:" not in native().messages


def test_no_warnings_on_arm():
    tool("aarch64-linux-gnu-g++")
    assert "warning:" not in for_arm().messages


def test_clang():
    clang = build(empty_folder("clang"), tool("clang++", "clang++-18", "clang++-16", "clang++-14"))
    for name in PROGRAMS:
        assert passed(call(clang.program(name)))
    assert "warning:" not in clang.messages, clang.messages


def sanitized(folder: str, *flags: str) -> Build:
    compiler = tool("g++", "clang++")
    flags = (*flags, "-g1", "-fno-sanitize-recover=all")
    trial = empty_folder(f"{folder}_trial") / "trial"
    trial.with_suffix(".cpp").write_text("int main() {}\n")
    try:
        call(compiler, *flags, trial.with_suffix(".cpp"), "-o", trial)
        call(trial)
    except AssertionError as error:
        pytest.skip(f"the compiler has no working {flags[0]}: {str(error)[-200:]}")
    return build(empty_folder(folder), compiler, flags, optimise="-O1")


@pytest.mark.parametrize("name", PROGRAMS)
def test_addresses_and_undefined_behaviour(name):
    assert passed(call(with_addresses().program(name)))


@cache
def with_addresses() -> Build:
    return sanitized("addresses", "-fsanitize=address,undefined")


@pytest.mark.parametrize("name", ["steps_test", "selective_scan_test", "threads_test"])
def test_data_races(name):
    assert passed(call(with_race_checks().program(name)))


@cache
def with_race_checks() -> Build:
    return sanitized("races", "-fsanitize=thread")
