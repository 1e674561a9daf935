"""A model of what ops cost on a CPU: as steps of a program, and in torch.

It decides which parts of a network become programs. A model rather than a measurement, so that one
network is treated alike on every machine and at every time. Its numbers are nanoseconds of one core
with AVX-512 at 2.1 GHz, with torch 2.13 in its better memory format; only their ratios matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ...formula import parse
from ..lowering.program import Part, Shape

#: Width of the pictures that the choice is made for; narrower ones fill vectors less.
WIDTH = 128
#: A program must be so much faster than torch.
MARGIN = 1.05
#: To lay out a number that a program reads or writes.
BORDER_NS = 0.8
#: A function of each number by itself: torch reads and writes memory, steps mostly cache.
TORCH_NS, STEP_NS = 0.6, 0.3
#: A product and sum of a dense convolution: in torch, and in a program's 3x3 (Winograd's transform
#: saves three quarters of the products) and others.
TORCH_PRODUCT_NS, WINOGRAD_PRODUCT_NS, STEP_PRODUCT_NS = 0.02, 0.008, 0.02
#: The same on matrix tiles, which keep their speed on narrow pictures and with many channels.
TILE_PRODUCT_NS = 0.003
#: The same of a depthwise convolution, beside the pass over memory: in both, bound by loads.
TAP_NS = 0.03
#: A byte of transformed weights that the second-level cache does not keep, for each four rows.
WEIGHT_BYTE_NS = 0.3
#: Bytes of it for weights.
KEPT_BYTES = 1.5e6
#: Pixels of a row that a vector step computes at once.
BLOCK = 64


def gain(
    parts: Sequence[Part], border: Sequence[Shape], width: int, on_tiles: bool = False
) -> float:
    """Nanoseconds that a program of ``parts`` saves, beyond the margin; see ``OpSet.gain``.

    ``on_tiles``: whether it multiplies in bfloat16, on matrix tiles.
    """
    scale = WIDTH / width
    programs = sum(BORDER_NS * scale**2 * prod(shape) for shape in border)
    torchs = 0.0
    for part in parts:
        in_torch, as_steps = _cost(part, scale, on_tiles)
        torchs += in_torch
        programs += as_steps
    return torchs - MARGIN * programs


def _cost(part: Part, scale: float, on_tiles: bool) -> tuple[float, float]:
    """Nanoseconds in torch and in a program, for a picture of WIDTH."""
    height, width = (max(1.0, scale * side) for side in part.made[-2:])
    pixels = prod(part.made[:-3]) * height * width
    functions = _functions(part) * pixels * part.made[-3]
    in_torch, as_steps = TORCH_NS * functions, STEP_NS * functions
    filled = width / (BLOCK * -(-width // BLOCK))
    for weight in _filters(part):
        products = pixels * prod(weight)
        if weight[1] == 1 and weight[0] > 1:
            in_torch += TAP_NS * products
            as_steps += TAP_NS * products
            continue
        in_torch += TORCH_PRODUCT_NS * products
        if on_tiles and weight[2:] in ((1, 1), (3, 3)):
            as_steps += TILE_PRODUCT_NS * products
            continue
        winograd = weight[2:] == (3, 3)
        as_steps += (WINOGRAD_PRODUCT_NS if winograd else STEP_PRODUCT_NS) * products / filled
        transformed = 4 * prod(weight[:2]) * (36 if winograd else prod(weight[2:]))
        if transformed > KEPT_BYTES:
            as_steps += WEIGHT_BYTE_NS * transformed * height / 4
    return in_torch, as_steps


def _filters(part: Part) -> list[Shape]:
    """Weights of convolutions among the op's arguments."""
    activations = part.op.activations
    named = zip(part.op.arguments, part.args, strict=True)
    return [v for k, v in named if k not in activations and isinstance(v, tuple) and len(v) == 4]


def _functions(part: Part) -> int:
    """Passes over the result that torch takes for what is not a convolution."""
    named = dict(zip(part.op.arguments, part.args, strict=True))
    return len(parse(named["formula"])) if "formula" in named else 1
