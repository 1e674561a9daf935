"""Networks as ``upscale`` runs them: from a name, a file or a module, with checked results."""

import copy
import os
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from .. import functional, fusion, models

#: A name, a checkpoint, or a network: a module, or another callable such as a spandrel descriptor.
Model = str | os.PathLike | nn.Module | Callable[[Tensor], Tensor]
Weights = str | os.PathLike | None
_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


class Runner:
    """A network that maps ``[1, 3, h, w]`` in ``[0, 1]`` to ``[1, 3, scale*h, scale*w]``.

    A result that is not finite is computed again in float32, with one warning per picture.

    Args:
        model: The network.
        precise: Makes the same network in float32; None if ``model`` is that already.

    Attributes:
        name: The name of the network.
        scale: The upscaling factor.
        halo_px: The reach of the network in input pixels, None if it sees the whole picture.
        picture: The name of the picture in warnings and errors.
    """

    def __init__(self, model: nn.Module, precise: Callable[[], nn.Module] | None):
        self.name = getattr(model, "name", None) or type(model).__name__
        self.scale = _scale(model)
        self.halo_px = fusion.halo(model)
        self.picture = "the picture"
        self._model, self._precise = model, precise
        self._precise_model: nn.Module | None = None
        self._warned_for = ""

    def __call__(self, x: Tensor) -> Tensor:
        """Upscale one picture or tile.

        Raises:
            ValueError: The result is not finite in float32 either.
        """
        y = _forward(self._model, x)
        if _finite(y):
            return y
        if self._precise is not None:
            self._warn()
            if self._precise_model is None:
                self._precise_model = self._precise()
            y = _forward(self._precise_model, x)
            if _finite(y):
                return y
        raise ValueError(
            f"{self.picture}: {self.name} returned values that are not finite, in float32 too: "
            "its weights are broken or not meant for pictures in [0, 1]"
        )

    def _warn(self) -> None:
        if self._warned_for != self.picture:
            self._warned_for = self.picture
            warnings.warn(
                f"{self.picture}: {self.name} left the range of its reduced precision; "
                "those tiles were computed again in float32",
                stacklevel=4,
            )


def make_runner(
    model: Model,
    *,
    weights: Weights = None,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
) -> Runner:
    """Make a ``Runner`` from a network's name, a checkpoint's path, or a module with a ``scale``.

    A module is used as it is, on its own device and in its own dtype, and is not changed.

    Args:
        model: The network.
        weights: As in ``load``; for a name or a path only, like ``device`` and ``dtype``.
        device: The device to run on; None is a GPU if torch can use one, else the CPU.
        dtype: The dtype to compute in, float32 if None.

    Raises:
        FileNotFoundError: The weights are missing.
        TypeError: ``model`` is of another type.
        ValueError: An argument is not valid, or does not go with a module.
    """
    if not isinstance(model, (str, os.PathLike)):
        return _runner_of(model, weights, device, dtype)
    device, dtype = resolve_device(device), resolve_dtype(dtype)

    def load() -> nn.Module:
        return functional.load(model, weights=weights, device=device)

    if dtype == torch.float32:
        return Runner(load(), precise=None)
    reduced = models.load(model, weights=weights, device=device)
    return Runner(fusion.accelerate(reduced, compute_dtype=dtype), precise=load)


def resolve_device(device: str | torch.device | None) -> torch.device:
    """Return the ``torch.device`` of a name; None and "auto" prefer a GPU that torch can use.

    Raises:
        ValueError: There is no such device on this machine.
    """
    usable = torch.cuda.is_available()
    if device is None or device == "auto":
        return torch.device("cuda" if usable else "cpu")
    try:
        device = torch.device(device)
    except RuntimeError:
        raise ValueError(f"no device is called {device!r}: use cpu, cuda or auto") from None
    if device.type == "cuda" and not usable:
        raise ValueError("torch finds no GPU that it can use: use the device cpu or auto")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"there is no device {device}: torch finds {torch.cuda.device_count()} GPU(s)"
        )
    return device


def resolve_dtype(dtype: str | torch.dtype | None) -> torch.dtype:
    """Return the ``torch.dtype`` of a name or dtype; None is float32.

    Raises:
        ValueError: Networks cannot be computed in it.
    """
    if dtype is None:
        return torch.float32
    resolved = _DTYPES.get(dtype) if isinstance(dtype, str) else dtype
    if resolved is None or resolved not in _DTYPES.values():
        raise ValueError(f"cannot compute in {dtype!r}: use one of {', '.join(_DTYPES)}")
    return resolved


def _runner_of(model, weights, device, dtype) -> Runner:
    if isinstance(model, type) or not callable(model):
        raise TypeError(
            f"model= got {type(model).__name__}: give a name, the path of a checkpoint, "
            "or a torch module with a scale"
        )
    if not (weights is None and device is None and dtype is None):
        raise ValueError(
            "weights, device and dtype are for networks that are loaded by name or path: "
            "give the module its weights, device and dtype before passing it"
        )
    precise = None
    if _like(model).dtype in (torch.float16, torch.bfloat16):

        def precise() -> nn.Module:
            return copy.deepcopy(_module_of(model)).float()

    return Runner(model, precise)


def _module_of(model) -> nn.Module:
    """Return the module itself, or the one in a descriptor (spandrel has it in ``.model``)."""
    return model if isinstance(model, nn.Module) else getattr(model, "model", model)


def _forward(model, x: Tensor) -> Tensor:
    like = _like(model)
    # inference_mode is safe here, unlike in ``functional``: the result never leaves this package.
    with torch.inference_mode():
        return model(x.to(like.device, like.dtype))


def _like(model) -> Tensor:
    """Return a tensor with the device and dtype of the parameters; float32 on the CPU if none."""
    parameters = getattr(_module_of(model), "parameters", list)
    return next(iter(parameters()), torch.empty(0))


def _scale(model) -> int:
    scale = getattr(model, "scale", None)
    if not isinstance(scale, int) or scale < 1:
        raise ValueError(
            f"{type(model).__name__} has no attribute scale: "
            "set model.scale to its upscaling factor, a whole number"
        )
    channels = getattr(model, "in_channels", 3), getattr(model, "out_channels", 3)
    if channels != (3, 3):
        raise ValueError(
            f"{type(model).__name__} maps {channels[0]} channels to {channels[1]}: "
            "pictures need a network from RGB to RGB"
        )
    return scale


def _finite(y: Tensor) -> bool:
    # The sum is one pass without a mask as large as the picture; it may overflow where no value
    # does, so only the full check says no.
    return bool(torch.isfinite(y.sum(dtype=torch.float32))) or bool(torch.isfinite(y).all())
