"""Tensors in, tensors out: the calls of people who have a batch and want it larger."""

import os
import threading
from pathlib import Path

import torch
from torch import Tensor, nn

from . import fusion, models

_cache: dict[tuple[str, torch.device], tuple[object, nn.Module]] = {}
_lock = threading.Lock()


def span(x: Tensor, weights=None) -> Tensor:
    """Upscale a batch four times with SPAN (28 channels).

    ``x``: ``[N, 3, H, W]`` RGB in ``[0, 1]``, float16, bfloat16, float32 or float64, any device.
    Returns a fresh ``[N, 3, 4H, 4W]`` tensor of the same dtype, device and range, not clamped.
    ``weights``: by default those that come with the package (our own training); "official" for the
    challenge's, or another checkpoint of the same network. The model is kept for the next call,
    one per device. On a CPU the half precisions are computed in float32.

    Raises ``TypeError`` or ``ValueError`` when ``x`` is not such a batch, ``FileNotFoundError``
    when the weights are neither here nor to be had.

    Source: Wan et al., "Swift Parameter-free Attention Network for Efficient Super-Resolution"
    (2023); NTIRE 2024 efficient SR challenge report, team 38.
    """
    return _run("span", x, weights)


def rlfn(x: Tensor, weights=None) -> Tensor:
    """Upscale a batch four times with RLFN (46 channels, the challenge's baseline).

    As ``span``, in the same range, with the challenge's weights; H and W are at least 15, which its
    pooled attention asks for.

    Source: Kong et al., "Residual Local Feature Network for Efficient Super-Resolution" (2022);
    NTIRE 2024 efficient SR challenge report, team 00.
    """
    return _run("rlfn", x, weights)


def load(source, *, weights=None, device=None, dtype=None) -> nn.Module:
    """Load a network by name or from a checkpoint, and accelerate it.

    ``source``: a name of ``list_models()`` or the path of a checkpoint (``.pth``, ``.pt``,
    ``.safetensors``), whose network is told from its keys and shapes. ``weights``: with a name,
    "official" for the challenge's weights where the package has others of its own ("span"), or the
    checkpoint to use. Returns the module in evaluation mode, with ``scale``, ``in_channels`` and
    ``data_range``; it maps ``[N, 3, H, W]`` to ``[N, 3, scale*H, scale*W]``. ``restore`` undoes the
    acceleration.

    Raises ``ValueError`` for a file that is no supported checkpoint, ``FileNotFoundError`` for
    one that is not there.
    """
    return fusion.accelerate(models.load(source, weights=weights, device=device, dtype=dtype))


def _run(name: str, x: Tensor, weights) -> Tensor:
    _check_batch(name, x)
    # A CPU has no fast half-precision arithmetic to lose, and float32 cannot overflow.
    on_cpu = x.device.type == "cpu"
    dtype = torch.promote_types(x.dtype, torch.float32) if on_cpu else x.dtype
    model = _cached_model(name, weights, x.device, dtype)
    # Not inference_mode: its tensors refuse the in-place clamp that many callers do next.
    with torch.no_grad():
        return model(x.to(dtype)).to(x.dtype)


def _cached_model(name: str, weights, device: torch.device, dtype: torch.dtype) -> nn.Module:
    key = (_identity(weights), dtype)
    with _lock:
        known, model = _cache.get((name, device), (None, None))
        if model is None or known != key:
            # Outside inference mode: parameters born inside it could never be trained or copied.
            with torch.inference_mode(False):
                model = load(name, weights=weights, device=device, dtype=dtype)
            _cache[name, device] = (key, model)
    return model


def _identity(weights) -> tuple | str | None:
    """What tells one weights file from another, so that a retrained file is read again."""
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
