"""``esr-kernels leaderboard``: score and rank evaluated networks, or the report's own table."""


def add(commands) -> None:
    """Add the sub-command to ``commands``."""
    command = commands.add_parser(
        "leaderboard", help="score and rank what evaluate found, by the challenge's rules"
    )
    option = command.add_argument
    option("results", nargs="*", metavar="results.json", help="of evaluate, or the official script")
    option("--paper", action="store_true", help="the report's table 1, its printed scores beside")
    option("--baseline", metavar="NAME", help="one of the networks; the report's RLFN on its GPU")
    what = "as .md, .csv, .png or .svg too"
    option("--save", nargs="+", action="extend", default=[], metavar="FILE", help=what)
    command.set_defaults(run=_run)


def _run(arguments) -> int:
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


def _taken(entrants: list, name: str):
    """The entrant of that name, no longer in the list: a baseline is not ranked."""
    for i, entrant in enumerate(entrants):
        if entrant.name == name:
            return entrants.pop(i)
    raise ValueError(f"no network {name!r} for a baseline: {', '.join(e.name for e in entrants)}")
