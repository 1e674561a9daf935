"""Train SPAN on a folder of pictures. A second run continues where the first one stopped."""

import argparse
import sys
from pathlib import Path

import torch

from ..output.progress import bar
from .export import export
from .patches import read_pictures
from .recipe import RECIPES
from .trainer import Trainer


def main(argv: list[str] | None = None) -> int:
    """Train, saving the state regularly; at the end write the weights, their provenance, the curve.

    Returns:
        The exit code: 0 when the recipe is done, 2 after an error, 130 after an interrupt. After an
        interrupt the next call continues from the last saved state.
    """
    arguments = _parser().parse_args(argv)
    try:
        return _train(arguments)
    except KeyboardInterrupt:
        print("train: interrupted; run it again to continue from the last save", file=sys.stderr)
        return 130
    except (OSError, RuntimeError, ValueError) as error:
        print(f"train: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m esr_kernels.train", description=__doc__)
    add = parser.add_argument
    add("pictures", type=Path, help="a folder of high-resolution pictures")
    add("out", type=Path, help="folder for state.pth, span.safetensors, span.json, span.png")
    add("--device", help="cpu, cuda, ... (default: a GPU if torch can use one)")
    add("--recipe", choices=RECIPES, help="the recipe to follow (default: gpu on a GPU, else cpu)")
    return parser


def _train(arguments: argparse.Namespace) -> int:
    device = torch.device(arguments.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    recipe = RECIPES[arguments.recipe or ("cpu" if device.type == "cpu" else "gpu")]
    trainer = Trainer(recipe, read_pictures(arguments.pictures, recipe.scale), device)
    arguments.out.mkdir(parents=True, exist_ok=True)
    state = arguments.out / "state.pth"
    if state.exists():
        trainer.resume(state)
    with bar(True, recipe.iterations, "steps", start=trainer.iteration) as advance:

        def on_step() -> None:
            _, loss, psnr_db = trainer.log[-1] if trainer.log else (0, 0.0, 0.0)
            advance(note=f"loss={loss:.5f}, dB={psnr_db:.3f}" if trainer.log else "")

        trainer.run(state, on_step)
    for path in export(trainer, arguments.out):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
