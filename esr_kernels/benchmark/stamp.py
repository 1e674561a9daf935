"""Description of the machine and the versions that a result was measured with."""

from __future__ import annotations

import shlex
import subprocess
import sys
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import esr_kernels

_PEERS = ("onnxruntime", "openvino", "ncnn")


def machine_stamp(program: str = "pytest") -> dict[str, object]:
    """Collect processor, instruction set of our kernels, versions, commit, date and command."""
    info = esr_kernels.info()
    kernels = next(detail for name, _, detail in info.backends if name == "cpu")
    versions = {name: _version(name) for name in _PEERS}
    return {
        "cpu": info.cpu,
        "kernels": kernels,
        "python": info.python,
        "torch": info.torch,
        "peers": {name: number for name, number in versions.items() if number},
        "commit": _commit(),
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "dtype": "float32",
        "command": shlex.join([program, *sys.argv[1:]]),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str:
    """Return the short hash, with ``-dirty`` where files differ; "unknown" outside a repository."""
    describe = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(
            describe, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()
