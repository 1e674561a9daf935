"""Which CUDA kernels an installation builds, and what it says of that."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import pytest

SETUP = Path(__file__).resolve().parents[1] / "setup.py"


@pytest.fixture(scope="module")
def setup():
    pytest.importorskip("setuptools")
    spec = importlib.util.spec_from_file_location("esr_kernels_setup", SETUP)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("environment", "gpus", "build", "targets", "words"),
    [
        ({}, [], False, "", "without CUDA kernels: no NVIDIA GPU here"),
        ({}, ["7.5"], False, "", "without CUDA kernels: 7.x is the newest GPU here, 8.0 the least"),
        ({}, ["7.5", "8.6"], True, "80", "with CUDA kernels for 80"),
        ({}, ["9.0"], True, "90", "with CUDA kernels for 90: for the GPU of this machine"),
        ({}, ["8.9", "8.6", "12.0"], True, "80 120", "with CUDA kernels for 80 120"),
        ({"ESR_KERNELS_CUDA": "0"}, ["9.0"], False, "", "without CUDA kernels: ESR_KERNELS_CUDA=0"),
        ({"ESR_KERNELS_CUDA": "1"}, [], True, "", "with CUDA kernels for all targets"),
        ({"ESR_KERNELS_CUDA_TARGETS": "80 90"}, [], True, "80 90", "with CUDA kernels for 80 90"),
        (
            {"ESR_KERNELS_CUDA": "1", "ESR_KERNELS_CUDA_TARGETS": "90"},
            *([], True, "90", "with CUDA kernels for 90: ESR_KERNELS_CUDA=1"),
        ),
    ],
)
def test_plan(setup, environment, gpus, build, targets, words):
    plan = setup.cuda_plan(environment, lambda: gpus)
    assert (plan.build, plan.targets) == (build, targets)
    assert plan.required == (environment.get("ESR_KERNELS_CUDA") == "1")
    assert setup.note(plan).startswith(words)


def test_another_value_is_refused(setup):
    with pytest.raises(SystemExit, match="'yes' must be 0, 1 or unset"):
        setup.cuda_plan({"ESR_KERNELS_CUDA": "yes"}, list)


@pytest.mark.parametrize(
    ("stdout", "status", "found"),
    [("9.0\n", 0, ["9.0"]), ("8.0\n8.0\n", 0, ["8.0", "8.0"]), ("no devices", 0, []), ("", 9, [])],
)
def test_the_drivers_tool_is_asked(setup, monkeypatch, stdout, status, found):
    answer = subprocess.CompletedProcess([], status, stdout, "")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: answer)
    assert setup.gpu_capabilities() == found


def test_no_tool_is_no_gpu(setup, monkeypatch):
    def missing(*_, **__):
        raise FileNotFoundError("nvidia-smi")

    monkeypatch.setattr(subprocess, "run", missing)
    assert setup.gpu_capabilities() == []
