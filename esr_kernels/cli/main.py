"""The ``esr-kernels`` command. Errors are one line on stderr, and the exit code says which kind."""

import argparse
import os
import sys
import warnings
from typing import NoReturn

from .. import __version__
from . import bench, evaluate, export, info, leaderboard, models, sample, upscale

DONE, REFUSED, INTERRUPTED = 0, 2, 130
_COMMANDS = (upscale, evaluate, leaderboard, bench, export, info, models, sample)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(REFUSED, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(argv: list[str] | None = None) -> int:
    """Run the command with ``argv`` (``sys.argv[1:]`` if None) and return its exit code.

    0: done. 1: some pictures of a folder failed. 2: refused, or failed altogether. 130:
    interrupted. ``--help`` and wrong arguments exit as argparse does.
    """
    arguments = _parser().parse_args(argv)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            code = arguments.run(arguments)
            sys.stdout.flush()  # here, where a closed pipe is understood
            return code
    except KeyboardInterrupt:
        return _fail("interrupted; finished files stay, none is half-written", INTERRUPTED)
    except BrokenPipeError:  # the reader, as in "| head", stopped early
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        return DONE
    except (MemoryError, OSError, RuntimeError, TypeError, ValueError) as error:
        return _fail(_one_line(error), REFUSED)


def _parser() -> _Parser:
    parser = _Parser(prog="esr-kernels", description="Make pictures larger, fast.")
    parser.add_argument("--version", action="version", version=f"esr-kernels {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add(commands)
    return parser


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    from ..output.progress import print_above

    print_above(f"esr-kernels: warning: {_one_line(message)}")


def _one_line(error: object) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _fail(message: str, code: int) -> int:
    print(f"esr-kernels: {message}", file=sys.stderr)
    return code
