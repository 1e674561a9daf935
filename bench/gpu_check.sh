#!/usr/bin/env bash
# Half an hour on a GPU, in five calls on a machine with Python, torch, triton and CUDA's tools that
# need not reach any network. Run from anywhere; nothing is installed.
#
#   bench/gpu_check.sh [--dry-run] a|b|c|d|e
#
#   a  4 min  every kernel form against float64, then ours at four sizes: fused and apart, with and
#             without a CUDA graph
#   b  6 min  compute-sanitizer, memcheck and racecheck, over all forms; our kernels only
#   c  5 min  Nsight Compute over SPAN-28 at 256x256 and 1080p; clocks left alone
#   d  6 min  rivals at one size: eager, torch.compile, max-autotune
#   e  9 min  Triton: its kernels, then SPAN-28 with them
#
# Every case is appended to a file in FOLDER ($OUT, else bench/results/gpu) when it ends, so that a
# call that is killed leaves what it measured; CALL.tar.gz has all of it. The table comes last. PYTHON names the interpreter.
# bench/prebuild.sh, run beforehand elsewhere, saves the minutes of compiling. --dry-run rehearses a
# call without a GPU. Exit status 1: a check failed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${PYTHON:-python3}
rehearse=()
if [[ ${1:-} == --dry-run ]]; then
  rehearse=(--rehearse)
  shift
fi
call=${1:-}
case $call in
  a | b | c | d | e) ;;
  *)
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
out=${OUT:-bench/results/gpu}
mkdir -p "$out"
out=$(cd "$out" && pwd)
record=$out/$call.jsonl
rm -f "$record" "$out/$call-"*.log
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
[[ -d prebuilt/site ]] && export PYTHONPATH=$PWD/prebuilt/site:$PYTHONPATH

# The module for this Python: prebuilt, else compiled here.
module() {
  ((${#rehearse[@]})) && return
  if [[ $(cat prebuilt/sources 2>/dev/null) == "$(bench/prebuild.sh --sources)" ]]; then
    cp prebuilt/_C.*.so esr_kernels/
    "$python" -c 'from esr_kernels import _C; _C.cuda' && return
  fi
  echo "no prebuilt module of these sources fits: compiling one, which takes minutes"
  bench/prebuild.sh --here
}

gpu() { # gpu CALL SECONDS: one part, killed after its budget, begun again after a fault
  local code=3 until=$((SECONDS + $2 + 20))
  while ((code == 3 && SECONDS < until)); do
    timeout -k 10 $((until - SECONDS)) "$python" -m esr_kernels.benchmark.gpu "$1" --record "$record" \
      --seconds $((until - SECONDS - 20)) "${rehearse[@]}" >>"$out/$call-$1.log" 2>&1
    code=$?
  done
  ((code == 0)) || status=1
}

sanitize() { # sanitize TOOL NUMBERS SECONDS
  local log=$out/b-$1-$2.log
  PYTORCH_NO_CUDA_MEMORY_CACHING=1 timeout -k 10 "$3" "${tool[@]}" compute-sanitizer \
    --tool "$1" --kernel-name kns=3esr4cuda --report-api-errors no --error-exitcode 9 \
    --print-limit 20 "$python" -m esr_kernels.device_check cuda 0 "$2" <<<"[]" >"$log" 2>&1
  local code=$?
  # The sanitizer's status does not tell whether every check was reached, and was right.
  if ((code == 0 && ! ${#rehearse[@]})); then
    grep -q '"finished": true' "$log" && ! grep -q '"reason": "' "$log" || code=1
  fi
  printf '{"kind": "%s", "case": "%s %s", "exit": %d, %s}\n' "$1" "$1" "$2" "$code" \
    "$( ((code == 0)) && echo '"passed": true' || echo "\"failed\": \"exit status $code, see $(basename "$log")\"")" \
    >>"$record"
  ((code == 0)) || status=1
}

profile() { # profile H W SECONDS
  local log=$out/c-$1x$2.log sections=()
  for section in SpeedOfLight WarpStateStats SchedulerStats InstructionStats LaunchStats Occupancy; do
    sections+=(--section "$section")
  done
  timeout -k 10 "$3" "${tool[@]}" ncu --target-processes application-only --clock-control none --nvtx --nvtx-include picture/ \
    "${sections[@]}" "$python" -m esr_kernels.benchmark.gpu.profile --size "$1" "$2" >"$log" 2>&1
  local code=$?
  printf '{"kind": "profile", "case": "ncu %sx%s", "exit": %d, "%s": %s}\n' "$1" "$2" "$code" \
    "$( ((code == 0)) && echo passed || echo failed)" \
    "$( ((code == 0)) && echo true || echo "\"exit status $code, see $(basename "$log")\"")" \
    >>"$record"
  ((code == 0)) || status=1
}

# One archive of the call, whatever ends it.
archive() { tar -czf "$out/$call.tar.gz" -C "$out" $(cd "$out" && ls "$call".jsonl "$call"-*.log 2>/dev/null); }
trap archive EXIT
trap 'exit 143' TERM

status=0
tool=()
((${#rehearse[@]})) && tool=(echo)
module
case $call in
  a)
    gpu forms 110
    gpu ours 90
    ;;
  b)
    for numbers in float16 bfloat16 tf32; do sanitize memcheck "$numbers" 70; done
    for numbers in float16 tf32; do sanitize racecheck "$numbers" 70; done
    ;;
  c)
    # Warm before: the first use of a kernel on a machine checks it, in a process of its own.
    "${tool[@]}" "$python" -m esr_kernels.benchmark.gpu.profile >"$out/c-warm.log" 2>&1
    profile 256 256 100
    profile 1080 1920 150
    ;;
  d) gpu rivals 300 ;;
  e) gpu triton 480 ;;
esac
"$python" -m esr_kernels.benchmark.gpu table --record "$record" | tail -c 11000
exit $status
