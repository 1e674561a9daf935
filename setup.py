"""Builds ``esr_kernels._C`` with CMake; where there is no C++ compiler, installs without it.

CUDA kernels are built for the GPUs of this machine, and not at all where there is none: they take
minutes. ``ESR_KERNELS_CUDA=1`` builds them for all GPUs or fails, ``0`` builds none;
``ESR_KERNELS_CUDA_TARGETS="80 90"`` names the compute capabilities.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent
LEAST_TARGET = 80  # tensor cores and asynchronous copies as the kernels use them


class CudaPlan(NamedTuple):
    """Which CUDA kernels to build, and the reason in words."""

    build: bool
    required: bool = False
    targets: str = ""  # compute capabilities as nvcc calls them; empty: all
    why: str = ""


def cuda_plan(environment: Mapping[str, str], capabilities: Callable[[], list[str]]) -> CudaPlan:
    """Decide on the CUDA kernels.

    Args:
        environment: where the variables are.
        capabilities: returns the compute capabilities of this machine's GPUs, such as ``9.0``.
    """
    wanted = environment.get("ESR_KERNELS_CUDA", "")
    targets = environment.get("ESR_KERNELS_CUDA_TARGETS", "")
    if wanted not in ("", "0", "1"):
        sys.exit(f"ESR_KERNELS_CUDA={wanted!r} must be 0, 1 or unset")
    if wanted == "0":
        return CudaPlan(build=False, why="ESR_KERNELS_CUDA=0")
    if wanted == "1":
        return CudaPlan(True, True, targets, "ESR_KERNELS_CUDA=1")
    if targets:
        return CudaPlan(True, False, targets, "ESR_KERNELS_CUDA_TARGETS is set")
    # Code for x.0 is what all GPUs of a generation run: it is what the tests measure, too.
    generations = sorted({int(c.partition(".")[0]) * 10 for c in capabilities()})
    found = [g for g in generations if g >= LEAST_TARGET]
    if not found:
        why = "no NVIDIA GPU here"
        if generations:
            why = f"{generations[-1] // 10}.x is the newest GPU here, 8.0 the least"
        return CudaPlan(False, why=f"{why}; ESR_KERNELS_CUDA=1 builds them all the same")
    return CudaPlan(True, False, " ".join(map(str, found)), "for the GPU of this machine")


def gpu_capabilities() -> list[str]:
    """Ask the driver's tool for the compute capabilities of this machine's GPUs."""
    query = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = answer.stdout.split() if answer.returncode == 0 else []
    return [line for line in lines if line.replace(".", "").isdecimal()]


class CMakeBuild(build_ext):
    """Runs CMake for the one extension; a failure leaves a pure-Python package that still works."""

    def build_extension(self, ext: Extension) -> None:
        plan = cuda_plan(os.environ, gpu_capabilities)
        cause = self.build_with(ext, plan)
        if cause and plan.required:
            sys.exit(
                f"ESR_KERNELS_CUDA=1 asks for CUDA kernels, but they cannot be built ({cause}): "
                "install nvcc 12 or newer and g++ 11 or newer, or unset the variable."
            )
        if cause and plan.build:
            plan = CudaPlan(build=False, why=f"their build failed ({cause})")
            cause = self.build_with(ext, plan)
        if cause:
            self.warn(
                f"esr_kernels is built without compiled kernels ({cause}): everything works, at "
                "PyTorch's speed. For the fast CPU kernels install g++ 11 or clang 15, or newer, "
                "and run pip install again."
            )
        else:
            print(f"esr_kernels is built {note(plan)}", flush=True)

    def build_with(self, ext: Extension, plan: CudaPlan) -> str | None:
        """Build, and return why that failed, None if it did not."""
        import pybind11

        target = Path(self.get_ext_fullpath(ext.name)).resolve().parent
        build = Path(self.build_temp).resolve()
        configure = [
            # Without the last build's cache: it holds paths of pip's build environment, gone now.
            *("cmake", "--fresh", "-S", str(ROOT), "-B", str(build), "-G", "Ninja"),
            "-DCMAKE_BUILD_TYPE=Release",
            f"-DESR_KERNELS_CUDA={int(plan.build)}",
            f"-DESR_KERNELS_CUDA_TARGETS={plan.targets.replace(' ', ';')}",
            f"-DESR_KERNELS_NOTE={note(plan)}",
            f"-DPython3_EXECUTABLE={sys.executable}",
            f"-Dpybind11_DIR={pybind11.get_cmake_dir()}",
            f"-DCMAKE_LIBRARY_OUTPUT_DIRECTORY={target}",
        ]
        try:
            subprocess.run(configure, check=True)
            subprocess.run(["cmake", "--build", str(build)], check=True)
        except subprocess.CalledProcessError:
            return "CMake failed, see above"
        except OSError as error:
            return str(error)
        return None


def note(plan: CudaPlan) -> str:
    """A phrase on what is built, for the log and for ``esr-kernels info``."""
    if not plan.build:
        return f"without CUDA kernels: {plan.why}"
    return f"with CUDA kernels for {plan.targets or 'all targets'}: {plan.why}"


if __name__ == "__main__":
    setup(
        ext_modules=[Extension("esr_kernels._C", sources=[], optional=True)],
        cmdclass={"build_ext": CMakeBuild},
    )
