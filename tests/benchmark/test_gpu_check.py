"""The calls for half an hour on a GPU, rehearsed without one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from esr_kernels.benchmark.gpu.record import Record, read, summary

PROJECT = Path(__file__).resolve().parents[2]
SCRIPT = PROJECT / "bench" / "gpu_check.sh"
WINDOWS = sys.platform == "win32"
pytestmark = pytest.mark.skipif(WINDOWS, reason="a script of bash")


def start(call: str, out: Path) -> subprocess.Popen:
    environment = os.environ | {"OUT": str(out), "PYTHON": sys.executable}
    return subprocess.Popen(
        ["bash", str(SCRIPT), "--dry-run", call],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def rehearsed(call: str, out: Path) -> tuple[int, str, dict[str, dict]]:
    process = start(call, out)
    printed, _ = process.communicate(timeout=300)
    return process.returncode, printed, {n["case"]: n for n in read(out / f"{call}.jsonl")}


@pytest.mark.slow
def test_a_records_every_form_and_goes_on_after_faults(tmp_path):
    status, printed, lines = rehearsed("a", tmp_path)
    assert status == 1  # something failed
    assert lines["cuda passes"]["passed"] and lines["cuda is wrong"]["failed"] == "wrong by 1"
    assert lines["cuda crashes"]["failed"] == "ended its process by SIGABRT"
    assert lines["cuda hangs"]["failed"].startswith("timed out")
    timed = [name for name, line in lines.items() if "ms" in line]
    assert len(timed) == 3 and all(name in printed for name in timed)
    assert printed.strip().splitlines()[-1].startswith("7 passed, 3 timed")


@pytest.mark.slow
def test_b_and_c_start_the_tools_on_our_kernels_only(tmp_path):
    status, _, lines = rehearsed("b", tmp_path)
    assert status == 0 and all(line["passed"] for line in lines.values()) and len(lines) == 5
    with tarfile.open(tmp_path / "b.tar.gz") as archive:
        assert {"b.jsonl", "b-memcheck-float16.log"} < set(archive.getnames())
    assert len(list(tmp_path.iterdir())) <= 8
    log = (tmp_path / "b-racecheck-float16.log").read_text()
    assert "--tool racecheck --kernel-name kns=3esr4cuda" in log and "device_check cuda 0" in log
    status, _, lines = rehearsed("c", tmp_path)
    assert status == 0 and set(lines) == {"ncu 256x256", "ncu 1080x1920"}
    assert "--clock-control none" in (tmp_path / "c-256x256.log").read_text()


@pytest.mark.slow
def test_d_times_everybody(tmp_path):
    status, _, lines = rehearsed("d", tmp_path)
    assert status == 0
    assert {name.split(", ", 1)[1] for name, line in lines.items() if "ms" in line} >= {
        *("ours cuda fp16", "eager fp32", "eager TF32", "torch.compile fp16", "max-autotune fp16")
    }


@pytest.mark.slow
def test_e_is_about_triton(tmp_path):
    status, printed, lines = rehearsed("e", tmp_path)
    assert status == 0 and "timed" in printed
    assert all("triton" in name for name in lines)


@pytest.mark.slow
def test_what_was_measured_is_there_after_a_kill(tmp_path):
    process, record = start("a", tmp_path), tmp_path / "a.jsonl"
    deadline_s = time.monotonic() + 120
    while not (record.exists() and read(record)) and time.monotonic() < deadline_s:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert any(line["case"] == "cuda passes" for line in read(record))


def test_a_call_that_is_not_known_prints_the_five():
    done = subprocess.run(["bash", str(SCRIPT), "f"], capture_output=True, text=True)
    assert done.returncode == 2 and "racecheck" in done.stderr and "max-autotune" in done.stderr


def test_a_failure_is_a_line_and_no_time_left_is_one_too(tmp_path):
    path = tmp_path / "lines.jsonl"
    record = Record(path, budget_s=60)
    record.run("op", "wrong", lambda: 1 // 0)
    record.run("op", "right", lambda: {"passed": True})
    Record(path, budget_s=-1).run("op", "late", lambda: pytest.fail("it has no time"))
    wrong, right, late = read(path)
    assert wrong["failed"].startswith("ZeroDivisionError") and right["passed"]
    assert late["skipped"] == "no time left of -1 s"
    assert summary(read(path)).splitlines()[-1] == "1 passed, 0 timed, 2 failed or skipped"


def test_a_line_that_was_cut_off_is_left_out(tmp_path):
    path = tmp_path / "lines.jsonl"
    path.write_text(json.dumps({"kind": "op", "case": "a"}) + '\n{"kind": "op", "ca')
    assert [line["case"] for line in read(path)] == ["a"]
