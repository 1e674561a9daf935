"""Functions on tensors: upscale a batch, load a network."""

import os
import threading
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from . import fusion, models

Weights = str | os.PathLike | None
_cache: dict[tuple[str, torch.device], tuple[object, nn.Module]] = {}
_lock = threading.Lock()


def span(x: Tensor, weights: Weights = None) -> Tensor:
    """Upscale a batch four times with SPAN (28 channels).

    The model is kept for the next call, one per device. On a CPU the half precisions are computed
    in float32.

    Args:
        x: ``[N, 3, H, W]`` RGB in ``[0, 1]``, float16, bfloat16, float32 or float64, on any device.
        weights: By default those in the package (our own training); "official" for the challenge's,
            or another checkpoint of the same network.

    Returns:
        A fresh ``[N, 3, 4H, 4W]`` tensor of the same dtype, device and range, not clamped.

    Raises:
        FileNotFoundError: The weights are not on this machine and cannot be downloaded.
        TypeError: ``x`` is not a tensor of floats.
        ValueError: ``x`` has another shape.

    Source: Wan et al., "Swift Parameter-free Attention Network for Efficient Super-Resolution"
    (2023); NTIRE 2024 efficient SR challenge report, team 38.
    """
    return _run("span", x, weights)


def rlfn(x: Tensor, weights: Weights = None) -> Tensor:
    """Upscale a batch four times with RLFN (46 channels, the challenge's baseline).

    Arguments, result and errors are those of ``span``, with the challenge's weights by default. H
    and W must be at least 15, which RLFN's pooled attention needs.

    Source: Kong et al., "Residual Local Feature Network for Efficient Super-Resolution" (2022);
    NTIRE 2024 efficient SR challenge report, team 00.
    """
    return _run("rlfn", x, weights)


def load(
    source: str | os.PathLike | Mapping[str, Tensor],
    *,
    weights: Weights | Mapping[str, Tensor] = None,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> nn.Module:
    """Load a network by name or from a checkpoint, and accelerate it.

    Args:
        source: A name of ``list_models()`` or the path of a checkpoint (``.pth``, ``.pt``,
            ``.safetensors``), whose network is recognised by its keys and shapes.
        weights: With a name: "official" for the challenge's weights where the package has others of
            its own ("span"), or the checkpoint to use.
        device: The device of the network, the CPU if None.
        dtype: The dtype of the network, float32 if None.

    Returns:
        The module in evaluation mode, with ``scale``, ``in_channels`` and ``data_range``. It maps
        ``[N, 3, H, W]`` to ``[N, 3, scale*H, scale*W]``. ``restore`` undoes the acceleration.

    Raises:
        FileNotFoundError: The file, or the network of that name, is missing.
        ValueError: The file is not a supported checkpoint.
    """
    return fusion.accelerate(models.load(source, weights=weights, device=device, dtype=dtype))


def _run(name: str, x: Tensor, weights: Weights) -> Tensor:
    _check_batch(name, x)
    # A CPU has no fast half-precision arithmetic to lose, and float32 cannot overflow.
    on_cpu = x.device.type == "cpu"
    dtype = torch.promote_types(x.dtype, torch.float32) if on_cpu else x.dtype
    model = _cached_model(name, weights, x.device, dtype)
    # Not inference_mode: its tensors refuse the in-place clamp that many callers do next.
    with torch.no_grad():
        return model(x.to(dtype)).to(x.dtype)


def _cached_model(
    name: str, weights: Weights, device: torch.device, dtype: torch.dtype
) -> nn.Module:
    key = (_identity(weights), dtype)
    with _lock:
        kept = _cache.get((name, device))
        if kept is None or kept[0] != key:
            # Outside inference mode: parameters made inside it could never be trained or copied.
            with torch.inference_mode(False):
                kept = key, load(name, weights=weights, device=device, dtype=dtype)
            _cache[name, device] = kept
    return kept[1]


def _identity(weights: Weights) -> tuple | str | None:
    """Return a value that changes with the weights file, so that a retrained one is read again."""
    if weights is None or weights == models.OFFICIAL_WEIGHTS:
        return weights
    if not isinstance(weights, (str, os.PathLike)):
        raise TypeError(f"weights is the path of a file, not {type(weights).__name__}: see load()")
    path = Path(weights)
    if not path.exists():
        raise FileNotFoundError(f"no weights file at {path}: check the path given as weights=")
    stat = path.stat()
    return str(path.resolve()), stat.st_mtime_ns, stat.st_size


def _check_batch(name: str, x) -> None:
    if not isinstance(x, Tensor):
        raise TypeError(
            f"{name}() takes a torch tensor [N, 3, H, W] in [0, 1], not {type(x).__name__}; "
            "for picture files use esr_kernels.upscale(src, dst)"
        )
    shape = list(x.shape)
    if x.dim() == 3:
        raise ValueError(f"{name}() takes [N, 3, H, W], got {shape}: add the batch with x[None]")
    if x.dim() != 4:
        raise ValueError(f"{name}() takes [N, 3, H, W], got {x.dim()} dimensions: {shape}")
    if shape[1] != 3:
        last = ", or x.permute(0, 3, 1, 2) if the channels are last" if shape[3] == 3 else ""
        raise ValueError(
            f"{name}() takes 3 channels (RGB) in dimension 1, got {shape}: "
            f"repeat a grey picture with x.expand(-1, 3, -1, -1), drop alpha with x[:, :3]{last}"
        )
    if not x.is_floating_point():
        raise TypeError(
            f"{name}() takes floats in [0, 1], got {x.dtype}: divide by 255, x.float() / 255"
        )
    if x.numel() == 0:
        raise ValueError(f"{name}() got an empty batch: {shape}")
