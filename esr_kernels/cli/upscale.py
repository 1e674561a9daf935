"""``esr-kernels upscale``: pictures and folders of pictures, from file to file."""

import argparse
import sys
import time
from pathlib import Path

from .options import DEVICE_HELP, DTYPE_HELP, Commands


def add(commands: Commands) -> None:
    """Add the sub-command to ``commands``."""
    command = commands.add_parser("upscale", help="upscale a picture, or a folder of them")
    option = command.add_argument
    option("input", metavar="IN", help="a picture, or a folder, which is searched recursively")
    option("output", metavar="OUT", help="the new picture (png, jpg, webp, tiff, bmp), or a folder")
    option(
        "--model",
        default="span",
        help="a name (see: esr-kernels models) or a checkpoint (default: span)",
    )
    option(
        "--weights",
        help="official, or a checkpoint of the named model (default: ours if there are, else "
        "official)",
    )
    option("--device", default="auto", help=DEVICE_HELP)
    option("--dtype", default="float32", help=DTYPE_HELP)
    option(
        "--tile",
        type=_tile,
        default="auto",
        help="largest tile side in pixels, auto, or 0 for no tiles (default: auto)",
    )
    option("--suffix", default="", help="added to the names in a folder, as in cat_x4.png")
    option("--overwrite", action="store_true", help="replace outputs that exist")
    command.set_defaults(run=_run)


def _tile(text: str) -> str | int:
    if text == "auto" or text.isdecimal():
        return text if text == "auto" else int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is neither auto nor a number of pixels")


def _run(arguments: argparse.Namespace) -> int:
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
    summary = result.written[0] if Path(arguments.input).is_file() else result
    print(f"{summary} ({time.perf_counter() - began_s:.1f} s)")
    return 1 if result.failed else 0
