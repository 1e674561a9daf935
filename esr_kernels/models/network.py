"""The base class of all networks, and the description of a network for the registry."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from .reparam import merge_all

Shapes = Mapping[str, torch.Size]
_Upscaler = TypeVar("_Upscaler", bound="Upscaler")


class Upscaler(nn.Module):
    """A network from a picture in [0, 1] to one ``scale`` times as large, in [0, 1], not clamped.

    Attributes:
        name: The name in the registry.
        min_size: The least height and width of a picture, in pixels.
        training_form: Some convolutions are built as the branches that they are trained as.
        scale: The upscaling factor.
        in_channels: Channels of the picture.
        out_channels: Channels of the output.
        data_range: The range that the weights were trained in. The module multiplies by it and
            divides again, so callers need not know it.
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

    def slim(self: _Upscaler) -> _Upscaler:
        """Return a copy with its training forms merged (in float64), if it has any."""
        slim = copy.deepcopy(self)
        merge_all(slim)
        slim.training_form = False
        return slim

    def inference_form(self: _Upscaler) -> _Upscaler:
        """Merge everything that serves training only; return ``self`` if there is nothing to merge.

        Merges are computed in float64 and stored in the parameters' own dtype.
        """
        return self.slim() if self.training_form else self


@dataclass(frozen=True)
class Network:
    """The description of a network: facts, recognition of its checkpoints, construction.

    Attributes:
        name: The name in the registry.
        title: The full name.
        paper: The paper that describes it.
        build: Makes the module.
        detect: Maps the shapes of a checkpoint's tensors to the keyword arguments of ``build``, or
            to None if they do not look like this network. It tolerates missing and odd entries: the
            exact comparison of keys and shapes follows, and names the errors.
        key: Maps a key of the module to that of a checkpoint, where another program uses other
            names.
    """

    name: str
    title: str
    paper: str
    build: Callable[..., Upscaler]
    detect: Callable[[Shapes], dict[str, Any] | None]
    key: Callable[[str], str] = str

    def expected(self, hyperparameters: dict[str, Any]) -> dict[str, torch.Tensor]:
        """Return the keys of a checkpoint with tensors of their shapes, on the device "meta"."""
        with torch.device("meta"):
            state = self.build(**hyperparameters).state_dict()
        return {self.key(name): tensor for name, tensor in state.items()}
