"""What a training run leaves: the weights, a card that says where they come from, the curve."""

import hashlib
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from .. import system
from ..output.files import write_whole
from .curve import plot
from .trainer import Trainer


def export(trainer: Trainer, folder: Path) -> list[Path]:
    """Write weights, curve and provenance into ``folder``; returns their paths.

    ``span.safetensors``: the averaged weights, merged in float64, as float16. ``span.png``: the
    learning curve. ``span.json``: ``provenance``.
    """
    weights, curve, card = (folder / f"span.{suffix}" for suffix in ("safetensors", "png", "json"))
    state = {key: value.half().contiguous() for key, value in trainer.slim().state_dict().items()}
    save_file(state, weights, metadata={"format": "pt"})
    plot(trainer.log, curve)
    write_whole(card, (json.dumps(provenance(trainer, weights), indent=1) + "\n").encode())
    return [weights, curve, card]


def provenance(trainer: Trainer, weights: Path) -> dict:
    """All that tells these weights from others: pictures, recipe, machine, time, result."""
    here = system.info()
    return {
        "network": f"SPAN, {trainer.recipe.width} channels, x{trainer.recipe.scale}",
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "training_pictures": len(trainer.training),
        "validation_pictures": [pair.name for pair in trainer.validation],
        "pictures_sha256": trainer.data,
        "recipe": trainer.recipe.as_dict(),
        "hours": round(trainer.time_s / 3600, 2),
        "device": here.cpu if trainer.device.type == "cpu" else here.gpu,
        "threads": torch.get_num_threads(),
        "torch": here.torch,
        "log": [list(row) for row in trainer.log],
    }
