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

OFFICIAL_WEIGHTS = "official"  # their name in ``weights=``


def load(
    source: str | os.PathLike | Mapping[str, Tensor],
    *,
    weights: str | os.PathLike | Mapping[str, Tensor] | None = None,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> Upscaler:
    """Load a network in its inference form, in evaluation mode and without gradients.

    Training forms are merged once, in float64.

    Args:
        source: A name of ``list_models()`` ("span": team 38 with 28 channels, "span-26": team 39,
            "rlfn": the baseline), a checkpoint file, or a state dict, whose network is recognised
            by keys and shapes. A name has precedence over a file of the same name; write "./span"
            for the file.
        weights: With a name, the weights to use instead of the default: "official" for the
            challenge's, or a file or state dict of that network. The default is our own training
            for "span", which is part of the package, and otherwise the challenge's.
        device: The device of the network, the CPU if None.
        dtype: The dtype of the network, float32 if None, whatever the file holds.

    Returns:
        A plain module with ``name``, ``scale``, ``in_channels``, ``out_channels``, ``data_range``
        and ``min_size``, which maps ``[N, Cin, H, W]`` in [0, 1] to ``[N, Cout, scale*H,
        scale*W]``.

    Raises:
        FileNotFoundError: The name is unknown, the file is missing, or the weights cannot be
            downloaded.
        TypeError: An argument is of another type.
        ValueError: The checkpoint is not one of a known network, or the device is not available.
    """
    _check_target(device, dtype)
    model = _ready(_read(source, weights).inference_form())
    return model.to(device=device, dtype=dtype or torch.float32)


def load_slim(
    source: str | os.PathLike | Mapping[str, Tensor],
    *,
    weights: str | os.PathLike | Mapping[str, Tensor] | None = None,
) -> Upscaler:
    """Load a network in float32 on the CPU, with nothing merged but training forms.

    This is the form that the challenge counted: with the batch norms and repeated pictures that
    ``inference_form`` folds in some networks. Arguments and errors are those of ``load``.
    """
    return _ready(_read(source, weights).slim()).float()


def _read(source, weights) -> Upscaler:
    """Read the network in the form of its checkpoint, in float64, so that a merge rounds once."""
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
    # torch raises different errors for different kinds of missing devices.
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device {str(device)!r} is not available on this machine: try device='cpu'"
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
    # The initial numbers are overwritten: drawing them must not change the caller's random state.
    with torch.random.fork_rng(devices=[]):
        model = network.build(**hyperparameters)
    names = model.double().state_dict()
    model.load_state_dict({name: state[network.key(name)] for name in names})
    return model


def _ready(model: Upscaler) -> Upscaler:
    return model.eval().requires_grad_(False)
