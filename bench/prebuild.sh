#!/usr/bin/env bash
# Builds the compiled module for the machine that has the GPU, on one that has none:
#
#   PYTHON=python3.12 bench/prebuild.sh      for its version of Python, into prebuilt/
#   bench/prebuild.sh --here                 for this Python, into esr_kernels/
#   bench/prebuild.sh --sources              prints a hash of what the module is made of
#
# One target (TARGET, 90 by default: H100 and H200), about three minutes of one core. prebuilt/ is no
# part of the repository: take it along with the checkout. Its folder site/ has the packages of pure
# Python that the package needs and the other machine may lack.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

sources() {
  find CMakeLists.txt cmake csrc python -type f -not -path '*/__pycache__/*' -print0 |
    LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c 1-16
}
if [[ ${1:-} == --sources ]]; then
  sources
  exit
fi

python=${PYTHON:-python3}
target=$PWD/prebuilt
work=build/prebuilt
tools=("$python")
if [[ ${1:-} == --here ]]; then
  target=$PWD/esr_kernels
else
  "$python" -m venv "$work/venv"
  tools=("$work/venv/bin/python")
  "${tools[@]}" -m pip install -q pybind11 cmake ninja
  export PATH=$PWD/$work/venv/bin:$PATH
  mkdir -p "$target"
  "${tools[@]}" -m pip install -q --no-deps --target "$target/site" --upgrade lazy-loader tqdm
fi
ESR_KERNELS_CUDA_TARGETS=${TARGET:-90} cmake --fresh -S . -B "$work/cmake" -G Ninja \
  -DCMAKE_BUILD_TYPE=Release -DESR_KERNELS_CUDA=1 "-DESR_KERNELS_NOTE=with CUDA kernels for ${TARGET:-90}: prebuilt" \
  "-DPython3_EXECUTABLE=$("${tools[@]}" -c 'import sys; print(sys.executable)')" \
  "-Dpybind11_DIR=$("${tools[@]}" -m pybind11 --cmakedir)" \
  "-DCMAKE_LIBRARY_OUTPUT_DIRECTORY=$target"
cmake --build "$work/cmake"
[[ ${1:-} == --here ]] || sources >"$target/sources"
ls -l "$target"/_C.*
