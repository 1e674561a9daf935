"""``esr-kernels info``: versions, hardware, backends and weights of this machine."""

import argparse

from .options import Commands


def add(commands: Commands) -> None:
    """Add the sub-command to ``commands``."""
    command = commands.add_parser(
        "info", help="list what this machine has, and why the rest is missing"
    )
    command.add_argument(
        "--recheck", action="store_true", help="check the kernels on this GPU anew"
    )
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from ..system import info

    print(info(recheck=arguments.recheck))
    return 0
