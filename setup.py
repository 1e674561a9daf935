"""Builds ``esr_kernels._C`` with CMake; where there is no C++ compiler, installs without it.

``ESR_KERNELS_CUDA``: 1 builds the CUDA kernels or fails, 0 builds none. Without it they are built
where nvcc is found, and left out if that fails.
"""

import os
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent


class CMakeBuild(build_ext):
    """Runs CMake for the one extension; a failure leaves a pure-Python package that still works."""

    def build_extension(self, ext: Extension) -> None:
        cuda = os.environ.get("ESR_KERNELS_CUDA", "")
        if cuda not in ("", "0", "1"):
            sys.exit(f"ESR_KERNELS_CUDA={cuda!r} has to be 0, 1 or unset")
        cause = self.build_with(ext, cuda)
        if cause and cuda == "1":
            sys.exit(
                f"ESR_KERNELS_CUDA=1 asks for CUDA kernels, but they cannot be built ({cause}): "
                "install nvcc 12 or newer and g++ 11 or newer, or unset the variable."
            )
        if cause and not cuda and not self.build_with(ext, "0"):
            self.warn(
                f"esr_kernels is built without CUDA kernels ({cause}): GPUs are left to Triton. "
                "For them mend what is said above and run pip install again."
            )
        elif cause:
            self.warn(
                f"esr_kernels is built without compiled kernels ({cause}): everything works, at "
                "PyTorch's speed. For the fast CPU kernels install g++ 11 or clang 15, or newer, "
                "and run pip install again."
            )

    def build_with(self, ext: Extension, cuda: str) -> str | None:
        """Why it failed, None if it did not; ``cuda``: as ``ESR_KERNELS_CUDA``."""
        import pybind11

        target = Path(self.get_ext_fullpath(ext.name)).resolve().parent
        build = Path(self.build_temp).resolve()
        configure = [
            # Without the last build's cache: it holds paths of pip's build environment, gone now.
            *("cmake", "--fresh", "-S", str(ROOT), "-B", str(build), "-G", "Ninja"),
            "-DCMAKE_BUILD_TYPE=Release",
            f"-DESR_KERNELS_CUDA={cuda}",
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


setup(
    ext_modules=[Extension("esr_kernels._C", sources=[], optional=True)],
    cmdclass={"build_ext": CMakeBuild},
)
