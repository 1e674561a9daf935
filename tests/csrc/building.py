"""Builds the kernels and their standalone tests outside the project, with CMake's own flags."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
WARN = ("-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers")
SECONDS = 300  # for one compiler or one test; the slowest takes a tenth on an idle machine


def tool(*names: str) -> str:
    """The first of these programs that is installed; skips the test if none is."""
    for name in names:
        if path := shutil.which(name):
            return path
    pytest.skip(f"{' or '.join(names)} is not installed")


def call(*command: str | Path, environment: dict[str, str] | None = None) -> str:
    """What the command prints; fails the test with it if the command fails."""
    done = subprocess.run(
        [str(word) for word in command],
        env=os.environ | (environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
    )
    words = shlex.join(str(word) for word in command)
    assert done.returncode == 0, f"{words}\nreturned {done.returncode}:\n{done.stdout[-6000:]}"
    return done.stdout


@cache
def _folders() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="esr_kernels_csrc_")  # removed at exit


def empty_folder(name: str) -> Path:
    """A new folder with this name, for as long as the tests run."""
    folder = Path(_folders().name) / name
    folder.mkdir(exist_ok=True)  # of an attempt that was skipped
    return folder


@cache
def native() -> Build:
    """The kernels for this machine, by its own compiler; made once for all tests."""
    return build(empty_folder("native"), tool("c++", "g++", "clang++"))


@dataclass(frozen=True)
class Build:
    """Compiled kernels: ``objects`` maps an instruction set, or a source file's stem, to its file.

    ``messages``: what the compiler said. ``compiler`` and ``flags``: for programs linked to them.
    """

    folder: Path
    compiler: str
    flags: tuple[str, ...]
    objects: dict[str, Path]
    messages: str

    def program(self, name: str, *flags: str) -> Path:
        """``<name>.cpp`` of this folder, linked to the kernels."""
        path = self.folder / name
        include = [f"-I{HERE}", f"-I{PROJECT / 'csrc/cpu'}"]
        call(
            *(self.compiler, "-std=c++20", "-O1", "-pthread", *WARN, *include),
            *(*self.flags, HERE / f"{name}.cpp", *self.objects.values(), *flags, "-o", path),
        )
        return path


def build(
    folder: Path,
    compiler: str,
    flags: tuple[str, ...] = (),
    processor: str | None = None,
    optimise: str = "-O3",
) -> Build:
    """Compiles ``csrc/cpu`` as CMake would.

    Args:
        folder: an empty one.
        compiler: path of a C++ compiler.
        flags: added to CMake's.
        processor: what the compiler compiles for; this machine's if None.
        optimise: instead of -O3; instrumented code compiles ten times faster at -O1.
    """
    objects, jobs = {}, []
    for entry in _commands(folder, compiler, processor):
        words = shlex.split(entry["command"])
        isa = next((w.split("=")[1] for w in words if w.startswith("-DESR_ISA=")), None)
        name = isa or Path(entry["file"]).stem
        objects[name] = folder / f"{name}.o"
        words[words.index("-o") + 1] = str(objects[name])
        jobs.append([optimise if w == "-O3" else w for w in words] + list(flags))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        messages = list(pool.map(lambda words: call(*words), jobs))
    return Build(folder, compiler, flags, objects, "".join(messages))


def _commands(folder: Path, compiler: str, processor: str | None) -> list[dict[str, str]]:
    """CMake's compiler calls for the kernels."""
    pybind11 = pytest.importorskip("pybind11", reason="pybind11, which CMakeLists.txt asks for")
    target = () if processor is None else (
        "-DCMAKE_SYSTEM_NAME=Linux",
        f"-DCMAKE_SYSTEM_PROCESSOR={processor}",
    )  # fmt: skip
    call(
        *(tool("cmake"), "-S", PROJECT, "-B", folder, "-G", "Ninja", *target),
        f"-DCMAKE_MAKE_PROGRAM={tool('ninja')}",
        f"-DCMAKE_CXX_COMPILER={compiler}",
        f"-DPython3_EXECUTABLE={sys.executable}",
        f"-DPython3_INCLUDE_DIR={sysconfig.get_path('include')}",
        f"-Dpybind11_DIR={pybind11.get_cmake_dir()}",
        "-DESR_KERNELS_CUDA=0",
    )
    entries = json.loads((folder / "compile_commands.json").read_text())
    return [e for e in entries if Path(e["file"]).is_relative_to(PROJECT / "csrc/cpu")]


# The emulator changes stacks by longjmp, which fortified C libraries take for an error.
_EMULATED = (
    *("-std=c++20", "-O1", "-fPIC", "-U_FORTIFY_SOURCE", *WARN),
    *(f"-I{folder}" for folder in (PROJECT / "csrc/cuda", HERE)),
)


def emulated_program(name: str) -> Path:
    """``<name>.cpp`` of this folder with the GPU's kernels, which the emulator there runs."""
    path = _emulated_folder() / name
    call(
        *(tool("g++", "c++"), *_EMULATED, HERE / f"{name}.cpp", *_emulated_objects(), "-o", path),
    )
    return path


@cache
def emulated_module() -> Path:
    """The CUDA part of ``esr_kernels._C``, to be imported as ``emulated``, with such kernels."""
    pybind11 = pytest.importorskip("pybind11", reason="pybind11, which the module is written with")
    include = pybind11.get_include(), sysconfig.get_path("include")
    sources = HERE / "emulated_module.cpp", PROJECT / "python/cuda_bindings.cpp"
    path = _emulated_folder() / f"emulated{sysconfig.get_config_var('EXT_SUFFIX')}"
    call(
        *(tool("g++", "c++"), *_EMULATED, *(f"-I{folder}" for folder in include)),
        *("-fvisibility=hidden", '-DESR_CUDA_TARGETS="emulator"', "-shared"),
        *(*sources, *_emulated_objects(), "-o", path),
    )
    return path


@cache
def _emulated_folder() -> Path:
    return empty_folder("emulated")


@cache
def _emulated_objects() -> list[Path]:
    """``csrc/cuda`` without the .cu files, in whose place the emulator launches."""
    sources = [*(PROJECT / "csrc/cuda").rglob("*.cpp"), HERE / "emulated_launch.cpp"]
    objects = {source: _emulated_folder() / f"{source.stem}.o" for source in sources}
    words = (tool("g++", "c++"), *_EMULATED, "-c")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda file: call(*words, file, "-o", objects[file]), sources))
    return list(objects.values())
