"""Test cases for every form in which the CUDA kernels are compiled.

Estimates choose a form by GPU and picture size, so a few calls of each op miss most of them. Each
case here forces one form, through the same programs that networks use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d
from torch.utils._pytree import tree_leaves, tree_map

from esr_kernels import _C

from ...op import Op
from .builder import LOWER, Builder
from .device import limits

_DTYPES = {
    "f16": torch.float16,
    "half_sums": torch.float16,
    "bf16": torch.bfloat16,
    "tf32": torch.float32,
}
#: Shared memory of a block on GPUs that use a form of the fused spab, by its rows and patches.
_SPAB_KIB = {(4, 4): 227, (2, 4): 163, (2, 2): 99, (2, 3): 227}


@dataclass(frozen=True, eq=False)
class Form:
    """A test case that launches one kernel form.

    Attributes:
        name: of the form, as in ``_C.cuda.forms()``, and what else is peculiar about the case.
        op: that launches it.
        dtype: to compute in.
        args: schema arguments of the op, small float64 tensors on the CPU.
        force: see :class:`Builder`.
        pointwise: weight and bias of a 1x1 convolution that alone reads the op's result, in the
            same kernel; empty where there is none.
    """

    name: str
    op: Op
    dtype: torch.dtype
    args: tuple
    force: dict[str, Any]
    pointwise: tuple[Tensor, ...] = ()

    @property
    def kernel(self) -> str:
        """The name in ``_C.cuda.forms()``."""
        return self.name.split(",")[0]

    @property
    def numbers(self) -> str:
        """The kind of numbers that it computes with: a dtype, ``tf32`` or ``half_sums``."""
        if self.force.get("half_sums") == "always":
            return "half_sums"
        return "tf32" if self.dtype == torch.float32 else str(self.dtype).removeprefix("torch.")

    @property
    def runs_in(self) -> tuple[str, ...]:
        """Names of the ops whose programs may launch it: all have convolutions."""
        return (self.op.name,) if self.kernel.startswith(("spab", "esa")) else tuple(LOWER)

    @property
    def rounding(self) -> torch.dtype:
        """The dtype in which plain torch has as many digits: float16 for TF32."""
        if self.force.get("half_sums") == "always":
            return torch.bfloat16
        return torch.float16 if self.dtype == torch.float32 else self.dtype


def forms(ops: Collection[Op]) -> tuple[Form, ...]:
    """Return cases that together launch everything in ``_C.cuda.forms()``.

    Args:
        ops: all ops that this backend computes, or more.

    Raises:
        ValueError: no case is known for a name among them.
    """
    named = {op.name: op for op in ops}
    return tuple(case for name in _C.cuda.forms() for case in _cases(name, named))


def run(form: Form, device: torch.device) -> list[Tensor]:
    """Compute the form's op on ``device``, with the form forced.

    Raises:
        ValueError: the form does not fit this device, see :func:`unfit`.
    """
    if reason := unfit(form, device):
        raise ValueError(f"{form.name}: {reason}")

    def there(a: Any) -> Any:
        return a.to(device, form.dtype) if isinstance(a, Tensor) else a

    args, pointwise = tree_map(there, (form.args, form.pointwise))
    builder, pictures = _lower(form, args, pointwise)
    return builder.run(pictures)


def launched(form: Form, device: torch.device) -> list[str]:
    """Return the names of the kernel forms that :func:`run` launches there, in order."""
    builder, pictures = _lower(form, form.args, form.pointwise)
    n, _, height, width = pictures[0].shape
    return builder.program.forms(limits(device), (n, height, width))


def unfit(form: Form, device: torch.device) -> str | None:
    """Return the reason why the form cannot be launched on this GPU, None if it can."""
    try:
        names = launched(form, device)
    except ValueError as error:
        return str(error)
    if form.kernel in names:
        return None
    kib = limits(device).shared_bytes // 1024
    return f"with {kib} KiB of shared memory {', '.join(names)} are launched in its place"


def expected(form: Form, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """Compute the form's op by its formula on the CPU, with arguments rounded to ``form.dtype``."""

    def rounded(a: Any) -> Any:
        return a.to(form.dtype).to(dtype) if isinstance(a, Tensor) else a

    args, pointwise = tree_map(rounded, (form.args, form.pointwise))
    result = form.op.reference(*args)
    return [conv2d(result, *pointwise)] if pointwise else tree_leaves(result)


def _lower(form: Form, args: tuple, pointwise: tuple) -> tuple[Builder, list[Tensor]]:
    """Build the form's program; return it with the pictures that it reads."""
    builder = Builder(form.dtype, **form.force)
    pictures: list[Tensor] = []

    def read(x: Tensor) -> int:
        pictures.append(x)
        return builder.input(x.shape[1])

    results: Any = LOWER[form.op.name](builder, *form.op.map_activations(args, read))
    if pointwise:
        results = builder.conv([results], *pointwise)
    for result in results if isinstance(results, tuple) else (results,):
        builder.output(result)
    return builder, pictures


def _cases(name: str, ops: Mapping[str, Op]) -> Iterator[Form]:
    """Yield the cases of the form with this name."""
    for pattern, cases in _CASES.items():
        if (found := re.fullmatch(pattern, name)) and found[1] in _DTYPES:
            form, *numbers = found.groups()
            force = {"half_sums": "always"} if form == "half_sums" else {}
            draw = _Draw(name)
            for suffix, op, args, more, *pointwise in cases(draw, form, *map(int, numbers)):
                dtype = _DTYPES[form]
                yield Form(name + suffix, ops[op], dtype, args, force | more, *pointwise)
            return
    raise ValueError(f"no case launches '{name}': add one to {__name__}")


class _Draw:
    """Random operands, the same at every call."""

    def __init__(self, name: str) -> None:
        self._draw = torch.Generator("cpu").manual_seed(sum(name.encode()))

    def picture(self, channels: int, size: tuple[int, int, int] = (2, 17, 35)) -> Tensor:
        n, height, width = size
        return self._uniform(n, channels, height, width)

    def conv(self, out: int, into: int, k: int = 3) -> tuple[Tensor, Tensor]:
        """Weight and bias, so large that maps keep their size."""
        weight = self._uniform(out, into, k, k) * (18 / (into * k * k)) ** 0.5
        return weight, self._uniform(out)

    def _uniform(self, *shape: int) -> Tensor:
        # On the CPU, whatever torch's default device is.
        return torch.rand(shape, generator=self._draw, dtype=torch.float64, device="cpu") - 0.5


_Case = tuple  # suffix of the name, op, args, force, and pointwise if there is some


def _slabs(draw: _Draw, form: str, k: int, n_tiles: int) -> Iterator[_Case]:
    """Two sources, and more channels than a block makes."""
    sources, out = [draw.picture(20), draw.picture(3)], 8 * n_tiles + 3
    weights, u = draw.conv(out, 23, k), draw.picture(out)
    yield "", "conv_act", (sources, *weights, "silu", 0.0, u), {"n_tiles": n_tiles}


def _passing(draw: _Draw, form: str, k: int, n_tiles: int) -> Iterator[_Case]:
    """As well with weights that pass through shared memory with their slab."""
    yield from _slabs(draw, form, k, n_tiles)
    args = [draw.picture(150, (1, 17, 35))], *draw.conv(8 * n_tiles, 150), "lrelu", 0.1, None
    force = {"n_tiles": n_tiles, "shared_bytes": 80 * 1024, "blocks_per_sm": 1}
    yield ", weights with their slab", "conv_act", args, force


def _from_picture(draw: _Draw, form: str, n_tiles: int) -> Iterator[_Case]:
    out = 8 * n_tiles - 2
    args = [draw.picture(3)], *draw.conv(out, 3), "gelu", 0.0, None
    yield "", "conv_act", args, {"n_tiles": n_tiles}


def _to_picture(draw: _Draw, form: str, n_tiles: int) -> Iterator[_Case]:
    """Two pixels at a time of even factors, one of others."""
    for factor, colours in ((2, 2 * n_tiles - 1), (3, 3)):
        args = draw.picture(20), *draw.conv(colours * factor**2, 20), factor, draw.picture(colours)
        yield f", x{factor}", "conv3x3_pixel_shuffle", args, {"n_tiles": n_tiles}


def _to_pointwise(draw: _Draw, form: str, n_tiles: int) -> Iterator[_Case]:
    out = 8 * n_tiles - 3
    sources, second = [draw.picture(20), draw.picture(3)], draw.conv(out, out, 1)
    args = sources, *draw.conv(out, 23), "lrelu", 0.1, draw.picture(out)
    yield "", "conv_act", args, {"n_tiles": n_tiles}, second


def _spab(draw: _Draw, form: str, slabs: int, rows: int, patches: int) -> Iterator[_Case]:
    """Two strips."""
    channels = 16 * slabs - 4
    force = {"fusion": "fused", "shared_bytes": _SPAB_KIB[rows, patches] * 1024}
    weights = (part for _ in range(3) for part in draw.conv(channels, channels))
    yield "", "spab", (draw.picture(channels, (1, 13, 16 * patches)), *weights), force


def _esa(draw: _Draw, form: str, n_tiles: int) -> Iterator[_Case]:
    f, c = 8 * n_tiles - 1, 46
    shapes = (f, c, 1), (f, f, 1), (f, f, 3), (f, f, 3), (c, f, 1)
    weights = (part for shape in shapes for part in draw.conv(*shape))
    yield "", "esa", (draw.picture(c, (2, 31, 35)), *weights), {}


def _convert(draw: _Draw, form: str) -> Iterator[_Case]:
    """Two slabs in, a convolution, and three out."""
    args = [draw.picture(20)], *draw.conv(33, 20, 1), "none", 0.0, None
    yield "", "conv_act", args, {}


def _three(draw: _Draw, form: str, n_tiles: int) -> Iterator[_Case]:
    return _passing(draw, form, 3, n_tiles)


def _one(draw: _Draw, form: str, n_tiles: int) -> Iterator[_Case]:
    return _slabs(draw, form, 1, n_tiles)


_CASES: dict[str, Callable[..., Iterator[_Case]]] = {
    r"conv_act (\w+) 3x3 (\d) tiles slabs": _three,
    r"conv_act (\w+) 1x1 (\d) tiles slabs": _one,
    r"conv_act (\w+) 3x3 (\d) tiles from_picture": _from_picture,
    r"conv_act (\w+) 3x3 (\d) tiles to_picture": _to_picture,
    r"conv_act (\w+) 3x3 (\d) tiles to_pointwise": _to_pointwise,
    r"spab (\w+) (\d) slabs (\d) rows (\d) patches": _spab,
    r"esa (\w+) (\d) tiles": _esa,
    r"(?:pack|unpack) (\w+)": _convert,
}
