"""Results of a training run: the weights, their provenance, the learning curve."""

import hashlib
import json
from pathlib import Path

import torch
from safetensors.torch import save

from .. import system
from ..output.files import write_whole
from .curve import draw
from .trainer import Trainer


def export(trainer: Trainer, folder: Path) -> list[Path]:
    """Write weights, learning curve and provenance into ``folder``.

    ``span.safetensors`` holds the averaged weights, merged in float64, as float16. ``span.png`` is
    the learning curve, ``span.json`` the result of ``provenance``.

    Returns:
        The paths of the three files.
    """
    weights, curve, card = (folder / f"span.{suffix}" for suffix in ("safetensors", "png", "json"))
    state = {key: value.half().contiguous() for key, value in trainer.slim().state_dict().items()}
    content = save(state, metadata={"format": "pt"})
    facts = provenance(trainer, hashlib.sha256(content).hexdigest())
    write_whole(weights, content)
    write_whole(curve, draw(trainer.log, "png"))
    write_whole(card, (json.dumps(facts, indent=1) + "\n").encode())
    return [weights, curve, card]


def provenance(trainer: Trainer, sha256: str) -> dict[str, object]:
    """List the pictures, recipe, machine, time and log of a run, and the hash of its weights."""
    here = system.info()
    return {
        "network": f"SPAN, {trainer.recipe.width} channels, x{trainer.recipe.scale}",
        "sha256": sha256,
        "training_pictures": len(trainer.training),
        "validation_pictures": [picture.name for picture in trainer.validation],
        "pictures_sha256": trainer.data,
        "recipe": trainer.recipe.as_dict(),
        "hours": round(trainer.time_s / 3600, 2),
        "device": here.cpu if trainer.device.type == "cpu" else here.gpu,
        "threads": torch.get_num_threads(),
        "torch": here.torch,
        "log": [list(row) for row in trainer.log],
    }
