"""The ``esr-kernels`` command. Errors are one line on stderr, and the exit code says which kind."""

import argparse
import os
import sys
import time
import warnings
from pathlib import Path

from .. import __version__
from . import bench, evaluate, export, leaderboard

DONE, SOME_FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130


class _Parser(argparse.ArgumentParser):
    def error(self, message: str):
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
        return _fail("interrupted; what was finished stays, no file is half-written", INTERRUPTED)
    except BrokenPipeError:  # whoever reads, as in "| head", has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        return DONE
    except (MemoryError, OSError, RuntimeError, TypeError, ValueError) as error:
        return _fail(_one_line(error), REFUSED)


def _parser() -> _Parser:
    parser = _Parser(prog="esr-kernels", description="Make pictures larger, fast.")
    parser.add_argument("--version", action="version", version=f"esr-kernels {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_upscale(commands)
    evaluate.add(commands)
    leaderboard.add(commands)
    bench.add(commands)
    export.add(commands)
    info = commands.add_parser("info", help="what this machine has, and why the rest is missing")
    info.set_defaults(run=_info)
    models = commands.add_parser("models", help="the networks that --model knows")
    models.set_defaults(run=_models)
    sample = commands.add_parser("sample", help="draw a small picture to try things on")
    sample.add_argument("output", metavar="OUT", type=Path)
    sample.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")
    sample.set_defaults(run=_sample)
    return parser


def _add_upscale(commands) -> None:
    command = commands.add_parser("upscale", help="upscale a picture, or a folder of them")
    add = command.add_argument
    add("input", metavar="IN", help="a picture, or a folder: it is searched to the bottom")
    add("output", metavar="OUT", help="the new picture (png, jpg, webp, tiff, bmp), or a folder")
    add("--model", default="span", help="a name (see: esr-kernels models) or a checkpoint; span")
    add("--weights", help="official, or a checkpoint to use with the named model")
    add("--device", default="auto", help="cpu, cuda or auto: a GPU if torch can use one")
    add("--dtype", default="float32", help="computed in float32, float16 or bfloat16")
    add("--tile", type=_tile, default="auto", help="largest tile side in pixels, auto, or 0: none")
    add("--suffix", default="", help="added to the names in a folder, as in cat_x4.png")
    add("--overwrite", action="store_true", help="replace outputs that exist")
    command.set_defaults(run=_upscale)


def _tile(text: str) -> str | int:
    if text == "auto" or text.isdecimal():
        return text if text == "auto" else int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is neither auto nor a number of pixels")


def _upscale(arguments) -> int:
    from .. import backends
    from ..pictures.runner import resolve_device
    from ..pictures.upscale import upscale

    began_s = time.perf_counter()
    result = upscale(
        arguments.input,
        arguments.output,
        model=arguments.model,
        weights=arguments.weights,
        device=arguments.device,
        dtype=arguments.dtype,
        tile=arguments.tile,
        suffix=arguments.suffix,
        overwrite=arguments.overwrite,
        progress=True,
    )
    slow = backends.missing(resolve_device(arguments.device))
    for note in (*result.notes, *([slow] if slow else ())):
        print(f"esr-kernels: note: {note}", file=sys.stderr)
    for path, reason in result.failed:
        named = reason if str(path) in reason else f"{path}: {reason}"
        print(f"esr-kernels: failed: {' '.join(named.split())}", file=sys.stderr)
    what = result.written[0] if Path(arguments.input).is_file() else result
    print(f"{what} ({time.perf_counter() - began_s:.1f} s)")
    return SOME_FAILED if result.failed else DONE


def _info(arguments) -> int:
    from ..system import info

    print(info())
    return DONE


def _models(arguments) -> int:
    from ..models import list_models

    print(*list_models(), sep="\n")
    return DONE


def _sample(arguments) -> int:
    from ..pictures import io, sample

    io.save(arguments.output, sample.draw(), overwrite=arguments.overwrite)
    print(arguments.output)
    return DONE


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    from tqdm import tqdm

    # Through tqdm, which lifts its bar out of the way.
    tqdm.write(f"esr-kernels: warning: {_one_line(message)}", file=sys.stderr)


def _one_line(error) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _fail(message: str, code: int) -> int:
    print(f"esr-kernels: {message}", file=sys.stderr)
    return code
