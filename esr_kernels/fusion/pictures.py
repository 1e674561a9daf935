"""The pictures on which a module is observed and its graphs are proven: small ones."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from .copying import private_copy, tensors_of
from .values import Untraceable

#: Height and width, in the order tried: odd, above ESA's least size of 15; then for networks that
#: refuse small pictures, take multiples of 8, 16 or 64 only, or squares.
SIZES = ((20, 23), (64, 72), (64, 128), (64, 64), (128, 128))
#: A picture of the caller's size serves itself up to this many pixels.
_SMALL_PX = 64 * 64
#: Of several inputs.
Shapes = tuple[tuple[int, ...], ...]
#: No tensor that is made of a test picture has more numbers: 0.5 GB of float64.
_MOST_NUMBERS = 2**26


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


def observed(
    twin: nn.Module, dtype: torch.dtype, known: Shapes = ()
) -> tuple[tuple[Tensor, ...], Any]:
    """Pictures that the module takes, and what it makes of them. Raises ``Untraceable``.

    ``known``: shapes of inputs that it takes, if they are known; they need not be small.
    """
    count = len(input_names(twin))
    size_of = _Largest(twin)
    reasons: dict[Shapes, str] = {}
    for shapes in _candidates(twin, count, known):
        inputs = sample_pictures(shapes, dtype)
        harmless = shapes == known or (count == 1 and shapes[0][2:] == SIZES[0])
        try:
            # A second input of another kind, a vector say, may multiply sizes by broadcasting.
            if not harmless and size_of.made_of(inputs) > _MOST_NUMBERS:
                raise Untraceable("it makes far larger tensors of it")
            return inputs, twin(*copied(inputs))
        except Exception as error:
            reasons[shapes] = f"{type(error).__name__}: {error}"
    # What it says to the largest picture of the likeliest kind has least to do with the size.
    largest = tuple((n, c, *SIZES[-1]) for n, c, *_ in next(iter(reasons)))
    reason = reasons[largest]
    raise Untraceable(f"it does not run on a test picture ({reason[:160]})")


def _candidates(twin: nn.Module, count: int, known: Shapes) -> Iterator[Shapes]:
    """Shapes of inputs to try, the likeliest first."""
    likely = [tuple(shape[1] for shape in known)] if known else _channels(twin, count)
    for i, channels in enumerate(likely):
        sizes = list(SIZES)
        if i == 0 and known and known[0][2] * known[0][3] <= _SMALL_PX:
            sizes.insert(1, known[0][2:])
        for size in sizes:
            yield tuple((1, c, *size) for c in channels)


def _channels(twin: nn.Module, count: int) -> Iterator[tuple[int, ...]]:
    """Channels of each of ``count`` inputs.

    The first convolution may read a pixel-unshuffled or concatenated picture, or a picture with its
    mask.
    """
    first = next((m.in_channels for m in twin.modules() if isinstance(m, nn.Conv2d)), None)
    if first is None:
        first = next((t.shape[1] for m in twin.modules() for t in _kernels(m)), 3)
    yield (first,) * count
    if count == 2 and first > 1:
        yield first - 1, 1
    likely = dict.fromkeys((3, 1, first // count, first // 4, first // 16))
    yield from ((channels,) * count for channels in likely if channels not in (0, first))


class _Largest(TorchDispatchMode):
    """Count of numbers in the largest tensor that a module makes, found without making any."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self._module, self._blank, self._numbers = module, None, 0

    def made_of(self, inputs: tuple[Tensor, ...]) -> int:
        """For these inputs, as far as torch knows it from shapes alone."""
        self._numbers = 0
        try:
            if self._blank is None:
                self._blank = private_copy(self._module, "meta", inputs[0].dtype)
            with self, torch.device("meta"):
                self._blank(*(x.to("meta") for x in inputs))
        except Exception:  # it fails there or asks for values: run for real, it says why
            pass
        return self._numbers

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        sizes = [x.numel() for x in tree_leaves(result) if isinstance(x, Tensor)]
        self._numbers = max(self._numbers, *sizes, 0)
        return result


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
