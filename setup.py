"""Builds ``esr_kernels._C`` with CMake; where there is no C++ compiler, installs without it."""

import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent


class CMakeBuild(build_ext):
    """Runs CMake for the one extension; a failure leaves a pure-Python package that still works."""

    def build_extension(self, ext: Extension) -> None:
        import pybind11

        target = Path(self.get_ext_fullpath(ext.name)).resolve().parent
        build = Path(self.build_temp).resolve()
        configure = [
            # Without the last build's cache: it holds paths of pip's build environment, gone now.
            *("cmake", "--fresh", "-S", str(ROOT), "-B", str(build), "-G", "Ninja"),
            "-DCMAKE_BUILD_TYPE=Release",
            f"-DPython3_EXECUTABLE={sys.executable}",
            f"-Dpybind11_DIR={pybind11.get_cmake_dir()}",
            f"-DCMAKE_LIBRARY_OUTPUT_DIRECTORY={target}",
        ]
        try:
            subprocess.run(configure, check=True)
            subprocess.run(["cmake", "--build", str(build)], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            failed = isinstance(error, subprocess.CalledProcessError)
            cause = "CMake failed, see above" if failed else error
            self.warn(
                f"esr_kernels is built without compiled kernels ({cause}): everything works, at "
                "PyTorch's speed. For the fast CPU kernels install g++ 11 or clang 15, or newer, "
                "and run pip install again."
            )


setup(
    ext_modules=[Extension("esr_kernels._C", sources=[], optional=True)],
    cmdclass={"build_ext": CMakeBuild},
)
