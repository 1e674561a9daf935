"""What every network has in common, and how one is described to the registry."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from .reparam import merge_all

if TYPE_CHECKING:
    from typing_extensions import Self

Shapes = Mapping[str, torch.Size]


class Upscaler(nn.Module):
    """A network from a picture in [0, 1] to one ``scale`` times as large, in [0, 1], not clamped.

    ``name``: its name in the registry. ``in_channels``, ``out_channels``, ``scale``: whole numbers.
    ``data_range``: the range its weights were trained in; the module multiplies by it and divides
    again, so callers need not care. ``min_size``: least height and width of a picture, in pixels.
    ``training_form``: whether some of its convolutions are built as the branches they train as.
    """

    name: str
    min_size: int = 1
    training_form: bool = False
    mean: Tensor  # where a picture's mean is subtracted

    def __init__(self, *, scale: int, in_channels: int, out_channels: int, data_range: float = 1.0):
        super().__init__()
        self.scale = scale
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.data_range = data_range

    def slim(self) -> Self:
        """A copy with its training forms merged (in float64); where it has none, just a copy."""
        slim = copy.deepcopy(self)
        merge_all(slim)
        slim.training_form = False
        return slim

    def inference_form(self) -> Self:
        """The same function with everything merged that serves training only; ``self`` if nothing.

        Merges are computed in float64 and stored in the parameters' own dtype.
        """
        return self.slim() if self.training_form else self


@dataclass(frozen=True)
class Network:
    """One network as the registry sees it: how to tell its checkpoints, and how to build it.

    ``detect``: from the shapes of a checkpoint's tensors to the keyword arguments of ``build``, or
    None if nothing in them looks like this network. It guesses through missing or odd entries: the
    exact comparison of keys and shapes comes afterwards and names what is wrong. ``key``: from a
    key of the module to that of a checkpoint, where another program has spread other names.
    """

    name: str
    title: str
    paper: str
    build: Callable[..., Upscaler]
    detect: Callable[[Shapes], dict | None]
    key: Callable[[str], str] = str

    def expected(self, hyperparameters: dict) -> dict[str, Tensor]:
        """Key -> tensor without storage (device "meta") of a checkpoint with these parameters."""
        with torch.device("meta"):
            state = self.build(**hyperparameters).state_dict()
        return {self.key(name): tensor for name, tensor in state.items()}
