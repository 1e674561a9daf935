"""The challenge's golden pictures and weights, as the reference folder keeps them."""

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from esr_kernels.models.checkpoint import read_checkpoint


def golden(
    reference_dir: Path, team: int, data_range: float | None = None
) -> tuple[dict, Tensor, Tensor]:
    """Manifest entry, input and output in [0, 1] (float32, not clamped) of one team's network.

    ``data_range``: of a network with pictures for several, which of them.
    """
    folder = reference_dir / "reference"
    manifest = json.loads((folder / "manifest.json").read_text())
    entry = next(entry for entry in manifest if entry["id"] == team)
    pairs = (entry, *entry["golden_extra"])
    pair = next(pair for pair in pairs if data_range in (None, pair["data_range"]))
    with np.load(folder / pair["golden"]) as arrays:
        return entry, torch.from_numpy(arrays["input"]), torch.from_numpy(arrays["output"])


def limit(entry: dict) -> float:
    """Allowed distance from the golden output: four times what rounding alone makes of it."""
    return max(1e-5, 4 * entry["more"]["fp32_vs_fp64_max_abs"])


def official_state(reference_dir: Path, entry, network) -> dict[str, Tensor]:
    """The weights that the golden picture of ``entry`` was made with, as a flat state dict."""
    if entry.filename:
        path = reference_dir / "reference" / "weights" / entry.filename
        return read_checkpoint(path, entry.wrapper)
    if entry.team == 48:  # the manifest's: seeded, and torch's default initialisation
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return network.build().state_dict()
    path = reference_dir / "reference" / "weights" / "team18_magicsr_random.pth"
    return network.build().state_dict() | read_checkpoint(path)
