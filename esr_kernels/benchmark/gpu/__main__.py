"""``python -m esr_kernels.benchmark.gpu``: one call, or the table of what calls recorded."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from .calls import CALLS
from .contest import stamp
from .record import Record, read, summary


def main(argv: list[str] | None = None) -> int:
    """Run a call and print its table. Exit status 1: something failed; 2: there is no GPU."""
    parser = argparse.ArgumentParser(prog="python -m esr_kernels.benchmark.gpu")
    parser.add_argument("call", choices=[*CALLS, "table"])
    parser.add_argument("--record", type=Path, required=True, help="lines of JSON, appended")
    parser.add_argument("--seconds", type=float, default=240.0, help="budget (default: 240)")
    parser.add_argument("--rehearse", action="store_true", help="without a GPU, with stand-ins")
    arguments = parser.parse_args(argv)
    if arguments.call == "table":
        print(summary(read(arguments.record)))
        return 0
    record = Record(arguments.record, arguments.seconds)
    if arguments.rehearse:
        from .rehearsal import rehearse

        rehearse(arguments.call, record)
    elif not torch.cuda.is_available():
        print("no GPU that torch can use: nothing is checked", file=sys.stderr)
        return 2
    else:
        record.add("machine", torch.cuda.get_device_name(), machine=stamp())
        CALLS[arguments.call](record)
    lines = read(arguments.record)
    print(summary(lines))
    return int(any(line.get("failed") for line in lines))


if __name__ == "__main__":
    sys.exit(main())
