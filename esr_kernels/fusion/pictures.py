"""The pictures on which a module is observed and its graphs are proven: small ones."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from .copying import tensors_of
from .values import Untraceable

#: Height and width, in the order tried: odd, above ESA's least size of 15; then for networks that
#: refuse small pictures, take multiples of 8, 16 or 64 only, or squares.
SIZES = ((20, 23), (64, 72), (64, 128), (64, 64), (128, 128))
#: A picture of the caller's size serves itself up to this many pixels.
_SMALL_PX = 64 * 64


def sample_pictures(
    shapes: Iterable[tuple[int, ...]], dtype: torch.dtype = torch.float64
) -> tuple[Tensor, ...]:
    """Tensors of numbers in [0, 1], the same every time."""
    draw = torch.Generator(device="cpu").manual_seed(0)
    exact = (torch.rand(s, generator=draw, dtype=torch.float64, device="cpu") for s in shapes)
    return tuple(x.to(dtype) for x in exact)


def input_names(module: nn.Module) -> tuple[str, ...]:
    """The arguments that the module's forward must be given, at least one."""
    try:
        parameters = list(inspect.signature(module.forward).parameters.values())
    except (TypeError, ValueError):
        return ("x",)
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in parameters if p.kind in by_place and p.default is p.empty]
    return tuple(names) or ("x",)


def observed(twin: nn.Module, dtype: torch.dtype) -> tuple[tuple[Tensor, ...], Any]:
    """Pictures that the module takes, and what it makes of them. Raises ``Untraceable``."""
    first = next((m.in_channels for m in twin.modules() if isinstance(m, nn.Conv2d)), None)
    if first is None:
        first = next((t.shape[1] for m in twin.modules() for t in _kernels(m)), 3)
    count = len(input_names(twin))
    reasons = []
    # The first convolution may read a pixel-unshuffled or concatenated picture.
    for channels in dict.fromkeys((first, 3, 1, first // count, first // 4, first // 16)):
        for size in SIZES if channels else ():
            inputs = sample_pictures(((1, channels, *size),) * count, dtype)
            try:
                return inputs, twin(*copied(inputs))
            except Exception as error:
                reasons.append(f"{type(error).__name__}: {error}")
    # What it says to the largest picture of the likeliest kind has least to do with the size.
    reason = reasons[len(SIZES) - 1]
    raise Untraceable(f"it does not run on a test picture ({reason[:160]})")


def copied(inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Copies, for code that may write into its inputs."""
    return tuple(x.clone() for x in inputs)


def shapes_like(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Shapes of small pictures that code is likely to treat as one of this shape, best first."""
    *outer, height, width = shape
    if outer[0] * height * width <= _SMALL_PX:
        yield shape
    for step in (8, 16, 32, 64, 128):
        h, w = (16 + (size - 16) % step for size in (height, width))
        for taller, wider in ((0, 0), (0, 1), (1, 0), (2, 2)):
            if h + taller * step <= height and w + wider * step <= width:
                yield (*outer, h + taller * step, w + wider * step)


def _kernels(module: nn.Module) -> list[Tensor]:
    return [t for t in tensors_of(module).values() if t.dim() == 4 and t.shape[-1] in (1, 3)]
