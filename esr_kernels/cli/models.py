"""``esr-kernels models``: the networks that ``--model`` accepts by name."""

import argparse

from .options import Commands


def add(commands: Commands) -> None:
    """Add the sub-command to ``commands``."""
    command = commands.add_parser("models", help="list the networks that --model knows")
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from ..models import list_models

    print(*list_models(), sep="\n")
    return 0
