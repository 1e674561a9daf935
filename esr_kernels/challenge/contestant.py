"""Contestants: networks from a name, a checkpoint or a participant's own code, ready to run."""

from __future__ import annotations

import copy
import hashlib
import os
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from .. import fusion
from .dataset import SCALE
from .sources import resolve


@dataclass(frozen=True)
class Contestant:
    """A network that takes part in an evaluation.

    Attributes:
        name: The name in the results.
        counted: The network as written, whose costs are counted.
        run: The module that is timed. It maps ``[1, 3, H, W]`` in [0, ``data_range``] to
            ``[1, 3, 4 H, 4 W]`` in the same range.
        data_range: The largest value of a picture, 1 or 255.
        device: The device of ``run``.
        dtype: The dtype of the input of ``run``.
        weights: A digest of all parameters and buffers, which tells a retrained network apart.
    """

    name: str
    counted: nn.Module
    run: nn.Module
    data_range: float
    device: torch.device
    dtype: torch.dtype
    weights: str

    def input(self, low: np.ndarray) -> Tensor:
        """Convert a picture, uint8 ``[H, W, 3]``, to the input of ``run``."""
        x = torch.from_numpy(low.copy()).permute(2, 0, 1)[None].contiguous().float()
        return x.div(255 / self.data_range).to(self.device, self.dtype)

    def output(self, y: Tensor, low: np.ndarray) -> np.ndarray:
        """Convert the result of ``run`` to a picture, uint8 ``[4 H, 4 W, 3]``, clamped and rounded.

        Args:
            y: The result of ``run``.
            low: The picture that ``run`` was given, uint8 ``[H, W, 3]``.

        Raises:
            ValueError: The result has another shape, or values that are not finite.
        """
        expected = (1, 3, SCALE * low.shape[0], SCALE * low.shape[1])
        if tuple(y.shape) != expected:
            raise ValueError(
                f"{self.name} returned {list(y.shape)} where {list(expected)} was expected: the "
                f"challenge is about pictures upscaled {SCALE} times"
            )
        if not y.isfinite().all():
            raise ValueError(f"{self.name} returned values that are not finite, in {self.dtype}")
        levels = y[0].float().clamp(0, self.data_range) * (255 / self.data_range)
        return levels.round().byte().permute(1, 2, 0).cpu().numpy()


def enter(
    source: str | os.PathLike | nn.Module,
    *,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    plain: bool = False,
) -> Contestant:
    """Make the contestant that ``source`` names.

    Args:
        source: One of

            - a name of ``list_models()``, followed by ``?weights=official`` or ``?weights=FILE``
              for other weights than its default;
            - a checkpoint of a known network;
            - ``module:Class`` or ``file.py:Class``, an ``nn.Module`` that is made without
              arguments, followed by ``?range=255`` if it works in [0, 255], and ``?weights=FILE``
              if it does not load its own weights;
            - a module.
        device: The device to run on.
        dtype: The dtype to compute in.
        plain: Run the module as it is instead of accelerating it.

    Raises:
        FileNotFoundError: A file or a name is missing.
        ValueError: The source names no network, or its weights do not fit.
        TypeError: The class cannot be made without arguments.
    """
    found = resolve(source)
    counted = found.counted.eval().requires_grad_(False).to(device)
    run = copy.deepcopy(found.module).eval().requires_grad_(False).to(device)
    run = run.to(dtype) if plain else fusion.accelerate(run, compute_dtype=_reduced(dtype))
    feed = dtype if plain else torch.float32
    where = torch.device(device)
    return Contestant(found.name, counted, run, found.data_range, where, feed, _digest(counted))


def _reduced(dtype: torch.dtype) -> torch.dtype | None:
    return None if dtype == torch.float32 else dtype


def _digest(module: nn.Module) -> str:
    digest = hashlib.sha256()
    for key, value in module.state_dict().items():
        digest.update(key.encode())
        digest.update(value.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]
