"""From a name, a file or a state dict to a network that is ready to use."""

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from .catalogue import OFFICIAL
from .checkpoint import read_checkpoint, unwrap
from .network import Network, Upscaler
from .registry import identify
from .weights import find_default, find_weights

OFFICIAL_WEIGHTS = "official"  # the word for them in ``weights=``


def load(
    source: str | os.PathLike | Mapping,
    *,
    weights: str | os.PathLike | Mapping | None = None,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> Upscaler:
    """A network in its inference form, in evaluation mode, taking no gradients.

    ``source``: a name of ``list_models()`` ("span": team 38 with 28 channels, "span-26": team 39,
    "rlfn": the baseline), a checkpoint file, or a state dict, whose network is told from keys and
    shapes. A name wins over a file called the same; write "./span" for the file.

    ``weights``: with a name, what to use instead of the default, which for "span" is our own
    training and part of the package, and else the challenge's: "official" for the challenge's, or
    a file or state dict of that network. ``device``: CPU by default. ``dtype``: float32 by default,
    whatever the file holds.

    Training forms are merged once, in float64. Returns a plain module with ``name``, ``scale``,
    ``in_channels``, ``out_channels``, ``data_range`` and ``min_size``, which maps
    ``[N, Cin, H, W]`` in [0, 1] to ``[N, Cout, scale*H, scale*W]``.

    Raises ``FileNotFoundError`` for an unknown name or file and for weights that cannot be had,
    ``ValueError`` for what is no checkpoint of a known network and for a device that is not there,
    ``TypeError`` for other arguments.
    """
    _check_target(device, dtype)
    model = _ready(_read(source, weights).inference_form())
    return model.to(device=device, dtype=dtype or torch.float32)


def load_slim(source, *, weights=None) -> Upscaler:
    """As ``load``, in float32 on the CPU, with nothing merged but training forms.

    So the challenge counted its networks: with the batch norms and repeated pictures that
    ``inference_form`` folds away in some. Arguments and errors as in ``load``.
    """
    return _ready(_read(source, weights).slim()).float()


def _read(source, weights) -> Upscaler:
    """The network in the form of its checkpoint, in float64, so that a merge rounds once."""
    state, where = _state_of(source, weights)
    network, hyperparameters = identify(state, where)
    wanted = OFFICIAL[source].network if _is_name(source) else network.name
    if network.name != wanted:
        raise ValueError(
            f"{where} holds the network {network.name!r}, but {source!r} was asked for"
        )
    options = OFFICIAL[source].options if _is_name(source) else {}
    return _build(network, hyperparameters | options, state)


def _check_target(device, dtype) -> None:
    if dtype is not None and not dtype.is_floating_point:
        raise TypeError(f"a network computes in a floating-point dtype, not {dtype}")
    try:
        torch.empty(0, device=device)
    # What torch raises for a device that is not there differs from one kind to the next.
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device {str(device)!r} is not to be had on this machine: try device='cpu'"
        ) from error


def _state_of(source, weights) -> tuple[dict[str, Tensor], str]:
    if weights is not None and not _is_name(source):
        raise ValueError(
            f"weights= goes with the name of a network ({', '.join(OFFICIAL)}), not with {source!r}"
        )
    chosen = source if weights is None else weights
    if isinstance(chosen, Mapping):
        return unwrap(chosen, "the state dict"), "the state dict"
    if not isinstance(chosen, (str, os.PathLike)):
        raise TypeError(
            "expected a name, the path of a checkpoint or a state dict, not "
            f"{type(chosen).__name__}"
        )
    wrapper = ""
    if weights is None and _is_name(source):
        chosen, wrapper = find_default(source), OFFICIAL[source].wrapper
    elif isinstance(weights, str) and weights == OFFICIAL_WEIGHTS:
        chosen, wrapper = find_weights(source), OFFICIAL[source].wrapper
    elif not Path(chosen).exists():
        raise FileNotFoundError(
            f"{str(chosen)!r} is neither a checkpoint file nor a known name ({', '.join(OFFICIAL)})"
        )
    return read_checkpoint(chosen, wrapper), str(chosen)


def _is_name(source) -> bool:
    return isinstance(source, str) and source in OFFICIAL


def _build(network: Network, hyperparameters: dict, state: dict[str, Tensor]) -> Upscaler:
    # The initial numbers are overwritten: drawing them must not move the caller's random state.
    with torch.random.fork_rng(devices=[]):
        model = network.build(**hyperparameters)
    names = model.double().state_dict()
    model.load_state_dict({name: state[network.key(name)] for name in names})
    return model


def _ready(model: Upscaler) -> Upscaler:
    return model.eval().requires_grad_(False)
