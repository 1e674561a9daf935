"""``esr-kernels leaderboard``: score and rank evaluated networks, or the report's own table."""

import argparse
from typing import TYPE_CHECKING

from .options import SEVERAL, Commands

if TYPE_CHECKING:
    from ..challenge import Entrant


def add(commands: Commands) -> None:
    """Add the sub-command to ``commands``."""
    command = commands.add_parser(
        "leaderboard", help="score and rank results of evaluate, by the challenge's rules"
    )
    option = command.add_argument
    option(
        "results",
        nargs="*",
        metavar="results.json",
        help="a file of evaluate, or of the official test script",
    )
    option(
        "--paper", action="store_true", help="rank the report's table 1, beside its printed scores"
    )
    option(
        "--baseline",
        metavar="NAME",
        help="one of the networks (default: the report's RLFN, timed on its GPU)",
    )
    option(
        "--save",
        **SEVERAL,
        metavar="FILE",
        help="write the leaderboard too, as .md, .csv, .png or .svg",
    )
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from .. import challenge

    if not (arguments.results or arguments.paper):
        raise ValueError("nothing to rank: name a results.json, or use --paper")
    entrants = challenge.read_entrants(arguments.results)
    entrants += challenge.paper() if arguments.paper else []
    baseline = _taken(entrants, arguments.baseline) if arguments.baseline else None
    board = challenge.leaderboard(entrants, baseline)
    for path in arguments.save:
        challenge.save(path, board)
    print(challenge.as_text(board))
    return 0


def _taken(entrants: "list[Entrant]", name: str) -> "Entrant":
    """Remove the entrant of that name from the list and return it: a baseline is not ranked."""
    for i, entrant in enumerate(entrants):
        if entrant.name == name:
            return entrants.pop(i)
    raise ValueError(f"no network {name!r} for a baseline: {', '.join(e.name for e in entrants)}")
