"""What the compiled CUDA kernels need of a GPU, read from the module.

    python tests/csrc/cuda_resources.py

writes the table that the tests hold later builds to.
"""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).with_suffix(".csv")
_SCOPES = re.compile(r"^void |\(esr::cuda::ConvEnds\)|esr::cuda::|\(anonymous namespace\)::")


@dataclass(frozen=True)
class Usage:
    """Registers, and bytes of stack, of a thread."""

    registers: int
    stack: int

    def __str__(self) -> str:
        return f"{self.registers}/{self.stack}"


Usages = dict[str, dict[str, Usage]]  # kernel -> target -> what it needs


def cuobjdump() -> str | None:
    """The program, from CUDA's toolkit or from Triton's package; None without either."""
    if path := shutil.which("cuobjdump"):
        return path
    try:
        from triton import knobs
    except ImportError:
        return None
    return knobs.nvidia.cuobjdump.path


def read_module(path: str) -> Usages:
    """Of every kernel in a module, for every target that it has machine code for."""
    dump = subprocess.run(
        [cuobjdump(), "--dump-resource-usage", path], capture_output=True, text=True, check=True
    ).stdout
    text = subprocess.run(["c++filt"], input=dump, capture_output=True, text=True, check=True)
    usages: Usages = {}
    target = kernel = ""
    for line in text.stdout.splitlines():
        if found := re.match(r"arch = (\w+)", line):
            target = found[1]
        elif found := re.match(r" Function (.*)\(", line):
            kernel = _SCOPES.sub("", found[1])
        elif found := re.search(r"REG:(\d+) STACK:(\d+)", line):
            usages.setdefault(kernel, {})[target] = Usage(*map(int, found.groups()))
    return usages


def read_table() -> Usages:
    with TABLE.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        row.pop("kernel"): {
            target: Usage(*map(int, cell.split("/"))) for target, cell in row.items() if cell
        }
        for row in rows
    }


def write_table(usages: Usages) -> None:
    targets = sorted({t for needs in usages.values() for t in needs}, key=_number)
    with TABLE.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["kernel", *targets])
        for kernel in sorted(usages):
            writer.writerow([kernel, *(usages[kernel].get(t, "") for t in targets)])


def _number(target: str) -> int:
    return int(re.search(r"\d+", target)[0])


if __name__ == "__main__":
    from esr_kernels import _C

    write_table(read_module(_C.__file__))
