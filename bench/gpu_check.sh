#!/usr/bin/env bash
# Everything that wants a GPU, in one command, on a machine with torch, triton, nvcc and pybind11
# that need not reach any network:
#
#   bench/gpu_check.sh [-o FOLDER] [PART...]
#
#   build     the package from this checkout, in place, with CUDA kernels for this GPU
#   test      pytest -m gpu
#   sanitize  compute-sanitizer memcheck and racecheck over small shapes
#   profile   SPAN-28 kernel by kernel: torch's profile, and Nsight Compute's where it may be used
#   bench     ops, and SPAN-28 at four sizes; prints the table
#   bench-all the other networks too; minutes each, most of them torch.compile's
#
# Without parts: build test sanitize profile bench. Logs, the result as JSON and its table go to
# FOLDER, by default $OUT, else bench/results/gpu. PYTHON names the interpreter (python3). A part
# that fails does not keep the next from running; the exit status tells.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${PYTHON:-python3}
out=${OUT:-bench/results/gpu}
while getopts o: option; do
  case $option in
    o) out=$OPTARG ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
parts=("$@")
((${#parts[@]})) || parts=(build test sanitize profile bench)
if ! "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
  echo "no GPU that torch can use: nothing is checked" >&2
  exit 2
fi
mkdir -p "$out"
out=$(cd "$out" && pwd)

# Runs a command with its output shown and kept: logged NAME COMMAND...
logged() { "${@:2}" 2>&1 | tee "$out/$1.log"; }

# As nvcc calls it: 80, 90.
capability() {
  "$python" -c 'import torch; print("{}{}".format(*torch.cuda.get_device_capability()))'
}

build() {
  ESR_KERNELS_CUDA=1 ESR_KERNELS_CUDA_TARGETS=$(capability) \
    logged build "$python" -m pip install --no-build-isolation --no-deps --no-index -v -e .
}

tests() {
  logged test "$python" -m pytest tests -m gpu -q -rs --durations=10
}

sanitize() {
  # The allocator's own cache would hide what lies outside a tensor.
  export PYTORCH_NO_CUDA_MEMORY_CACHING=1
  local tool status=0
  for tool in memcheck racecheck; do
    logged "$tool" compute-sanitizer --tool "$tool" --error-exitcode 9 \
      "$python" -m pytest tests/backends -m gpu -q -x \
      -k "test_ops and channels_last and float16" || status=1
  done
  unset PYTORCH_NO_CUDA_MEMORY_CACHING
  return $status
}

profile() {
  local backend status=0
  for backend in cuda triton; do
    logged "profile-$backend" "$python" -m bench.gpu_profile --backend "$backend" || status=1
  done
  if command -v ncu >/dev/null; then
    # Many machines keep the GPU's counters to the administrator: no failure of ours.
    logged profile-ncu ncu --nvtx --nvtx-include "picture/" --section SpeedOfLight \
      --section ComputeWorkloadAnalysis --section MemoryWorkloadAnalysis --section Occupancy \
      --section LaunchStats "$python" -m bench.gpu_profile --backend cuda --once || true
  fi
  return $status
}

benchmark() {
  logged bench "$python" -m pytest bench/bench_gpu.py --benchmark-only -q "$@" &&
    cp bench/results/latest-gpu.json "$out/bench.json"
}

failed=()
for part in "${parts[@]}"; do
  printf '\n== %s\n' "$part"
  case $part in
    build) build ;;
    test) tests ;;
    sanitize) sanitize ;;
    profile) profile ;;
    bench) benchmark -k "SPAN-28 or not networks" ;;
    bench-all) benchmark ;;
    *) echo "no part is called $part"; false ;;
  esac || failed+=("$part")
done

if ((${#failed[@]})); then
  echo "failed: ${failed[*]}; see $out"
  exit 1
fi
echo "all parts passed: ${parts[*]}; see $out"
