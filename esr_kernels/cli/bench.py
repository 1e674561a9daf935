"""``esr-kernels bench``: one network beside plain torch, compilers and other runtimes, on a CPU."""

import argparse
import json
from pathlib import Path

from .options import SEVERAL, Commands


def add(commands: Commands) -> None:
    """Add the sub-command to ``commands``."""
    command = commands.add_parser(
        "bench", help="time one network beside plain torch, torch.compile and other runtimes"
    )
    option = command.add_argument
    option("--model", default="span", help="as for evaluate (default: span)")
    option("--size", **SEVERAL, type=_size, metavar="HxW", help="picture sizes (default: 256x256)")
    option("--threads", **SEVERAL, type=_count, help="thread counts (default: torch's setting)")
    option(
        "--seconds",
        type=_duration,
        default=10.0,
        help="time for each size and number of threads (default: 10)",
    )
    option("--save", type=Path, metavar="FILE", help="write JSON, for bench/report.py --keep FILE")
    option("--plot", type=_picture, metavar="FILE", help="draw bars of all times, as .png or .svg")
    command.set_defaults(run=_run)


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.partition("x")
    if height.isdecimal() and width.isdecimal() and int(height) and int(width):
        return int(height), int(width)
    raise argparse.ArgumentTypeError(f"{text!r} is not a height and width such as 256x256")


def _count(text: str) -> int:
    if text.isdecimal() and int(text):
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number of threads: 1 is the least")


def _duration(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if 0 <= seconds < float("inf"):
        return seconds
    raise argparse.ArgumentTypeError(f"{text!r} is no time in seconds")


def _picture(text: str) -> Path:
    from ..output.figures import KINDS

    path = Path(text)
    if path.suffix.lower().removeprefix(".") in KINDS:
        return path
    raise argparse.ArgumentTypeError(f"{text!r} is not a plot file: use .png or .svg")


def _run(arguments: argparse.Namespace) -> int:
    from ..benchmark.compare import compare
    from ..benchmark.plot import draw
    from ..benchmark.tables import terminal_tables
    from ..output.files import write_whole

    result = compare(
        arguments.model,
        arguments.size or [(256, 256)],
        threads=arguments.threads,
        time_s=arguments.seconds,
        progress=True,
    )
    print(terminal_tables(result))
    if arguments.save:
        write_whole(arguments.save, (json.dumps(result, indent=1) + "\n").encode())
    if arguments.plot:
        write_whole(arguments.plot, draw(result, arguments.plot.suffix.lower().removeprefix(".")))
    return 0
