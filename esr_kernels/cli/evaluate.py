"""``esr-kernels evaluate``: PSNR, runtime and counts over the challenge's pictures."""

import os
import sys


def add(commands) -> None:
    """Add the sub-command to ``commands``."""
    command = commands.add_parser(
        "evaluate", help="PSNR, runtime and counts of networks, as the challenge takes them"
    )
    option = command.add_argument
    option(
        "--model",
        nargs="+",
        action="extend",
        required=True,
        metavar="MODEL",
        help="names (see: esr-kernels models), checkpoints, or your own FILE.py:Class or "
        "module:Class, with ?weights=FILE or ?range=255 behind; several take turns",
    )
    option("--data", required=True, metavar="DIR", help="the pictures; see docs/challenge.md")
    what = "valid, test, or folders in DIR; what is there"
    option("--split", nargs="+", action="extend", default=[], help=what)
    option("--output", default=".", metavar="DIR", help="for results.json and results.txt; here")
    option("--ssim", action="store_true", help="SSIM too")
    option("--luma", action="store_true", help="PSNR of the luma (Y of YCbCr) too")
    option("--device", default="auto", help="cpu, cuda or auto: a GPU if torch can use one")
    option("--dtype", default="float32", help="computed in float32, float16 or bfloat16")
    option("--backend", help="the only one to use; esr-kernels info lists them")
    option("--plain", action="store_true", help="the modules as they are, not accelerated")
    option("--repeat", type=int, default=5, help="timed calls after a picture's first one; 5")
    option("--overwrite", action="store_true", help="forget what the results hold of these models")
    command.set_defaults(run=_run)


def _run(arguments) -> int:
    from ..challenge import evaluate, full_table
    from ..pictures.runner import resolve_device, resolve_dtype

    _choose(arguments.backend)
    evaluations = evaluate(
        arguments.model,
        arguments.data,
        splits=arguments.split,
        output=arguments.output,
        device=resolve_device(arguments.device),
        dtype=resolve_dtype(arguments.dtype),
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


def _choose(backend: str | None) -> None:
    from .. import backends

    if backend is None:
        return
    known = [name for name, _, _ in backends.describe()]
    if backend not in known:
        raise ValueError(f"{backend!r} is no backend: use one of {', '.join(known)}")
    os.environ["ESR_KERNELS_BACKEND"] = backend
