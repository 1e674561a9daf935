"""Checks and timings on a GPU, in calls of a few minutes each: ``bench/gpu_check.sh``.

    python -m esr_kernels.benchmark.gpu forms --record forms.jsonl

Every case is one line of JSON, written when it ends: what was measured is there even if the call is
killed. A failure is a line, too.
"""
