"""``esr-kernels evaluate``: PSNR, runtime and counts over the challenge's pictures."""

import argparse
import sys

from .options import DEVICE_HELP, DTYPE_HELP, SEVERAL, Commands


def add(commands: Commands) -> None:
    """Add the sub-command to ``commands``."""
    command = commands.add_parser(
        "evaluate", help="measure PSNR, runtime and counts of networks, as the challenge does"
    )
    option = command.add_argument
    option(
        "--model",
        **SEVERAL,
        required=True,
        metavar="MODEL",
        help="names (see: esr-kernels models), checkpoints, or your own FILE.py:Class or "
        "module:Class, followed by ?weights=FILE or ?range=255; several networks take turns",
    )
    option(
        "--data", required=True, metavar="DIR", help="the folder of pictures; see docs/challenge.md"
    )
    option(
        "--split",
        **SEVERAL,
        help="valid, test, or folders in DIR (default: valid and test, where they are present)",
    )
    option(
        "--output",
        default=".",
        metavar="DIR",
        help="folder for results.json and results.txt (default: the current one)",
    )
    option("--ssim", action="store_true", help="measure SSIM too")
    option("--luma", action="store_true", help="measure the PSNR of the luma (Y of YCbCr) too")
    option("--device", default="auto", help=DEVICE_HELP)
    option("--dtype", default="float32", help=DTYPE_HELP)
    option("--backend", help="use only this backend; see esr-kernels info (default: the fastest)")
    option("--plain", action="store_true", help="run the modules as they are, not accelerated")
    option(
        "--repeat",
        type=int,
        default=5,
        help="timed calls on a picture after the first one (default: 5)",
    )
    option("--overwrite", action="store_true", help="discard earlier results of these models")
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from ..challenge import evaluate, full_table
    from ..pictures.runner import resolve_device, resolve_dtype

    evaluations = evaluate(
        arguments.model,
        arguments.data,
        splits=arguments.split,
        output=arguments.output,
        device=resolve_device(arguments.device),
        dtype=resolve_dtype(arguments.dtype),
        backend=arguments.backend,
        plain=arguments.plain,
        repeat=arguments.repeat,
        ssim=arguments.ssim,
        luma=arguments.luma,
        overwrite=arguments.overwrite,
        progress=True,
    )
    for evaluation in evaluations:
        if evaluation.note:
            print(f"esr-kernels: note: {evaluation.model} {evaluation.note}", file=sys.stderr)
    print(full_table(evaluations))
    return 0
