"""``esr-kernels sample``: a small picture to try the other commands on."""

import argparse
from pathlib import Path

from .options import Commands


def add(commands: Commands) -> None:
    """Add the sub-command to ``commands``."""
    command = commands.add_parser("sample", help="draw a small picture to try things on")
    command.add_argument("output", metavar="OUT", type=Path, help="the file to write")
    command.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from ..pictures import io, sample

    io.save(arguments.output, sample.draw(), overwrite=arguments.overwrite)
    print(arguments.output)
    return 0
