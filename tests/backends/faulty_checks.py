"""Checks that go wrong in every way, as a program like ``esr_kernels.device_check``."""

from __future__ import annotations

import json
import os
import sys
import time

from esr_kernels import device_check
from esr_kernels.device_check import Case, walk


def _hang() -> None:
    time.sleep(600)


def _break_the_device() -> str:
    device_check.is_usable = lambda: False
    return "illegal address"


FAULTS = {
    "passes": lambda: None,
    "is wrong": lambda: "wrong by 3e-2, 1e-3 allowed: please report this",
    "crashes": os.abort,
    "hangs": _hang,
    "raises": lambda: 1 // 0,
    "leaves": lambda: sys.exit(7),
    "breaks the device": _break_the_device,
    "passes, too": lambda: None,
}


def main() -> None:
    """Check those that ``sys.argv`` names, without those on stdin."""
    done = json.load(sys.stdin)
    if "nothing begins" in sys.argv:
        sys.exit("no such device")
    names = [name for name in sys.argv[1:] if name not in done]
    print("a line of somebody else's")
    walk(Case(name, (f"op that {name}",), FAULTS[name]) for name in names)


if __name__ == "__main__":
    main()
