"""``conv3x3_pixel_shuffle``: a convolution whose store writes the enlarged picture."""

from __future__ import annotations

from math import gcd

import torch.nn.functional as F
import triton
import triton.language as tl
from torch import Tensor

from ...layout import empty_like
from ..convolution import convolution
from ..launch import Launch, config, precision, strides, vector
from ..packing import Weights, pack_conv, packed
from ..tile import channel_offsets, convolve, pixel_offsets, rounded, steps, tile

MAX_FACTOR = 32  # beyond it a row of one pixel fills more than a block of columns


@triton.jit
def shuffle_kernel(
    out, out_strides, x, x_strides, skip, skip_strides, weights, bias, height, width,
    CHANNELS: tl.constexpr, COLOURS: tl.constexpr, FACTOR: tl.constexpr, PADDED: tl.constexpr,
    KERNEL: tl.constexpr, FEW: tl.constexpr, BLOCK_K: tl.constexpr, BLOCK_N: tl.constexpr,
    COLUMNS: tl.constexpr, BLOCK_H: tl.constexpr, BLOCK_W: tl.constexpr,
    OUT_VECTOR: tl.constexpr, VECTOR: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    BLOCKS: tl.constexpr = COLUMNS // BLOCK_N
    PIXELS: tl.constexpr = BLOCK_H * BLOCK_W
    ROWS: tl.constexpr = BLOCK_N // PADDED
    program = tl.program_id(0)
    n, row, column = tile(program // BLOCKS, height, width, BLOCK_H, BLOCK_W)
    block = program % BLOCKS
    columns = block * BLOCK_N + tl.arange(0, BLOCK_N)
    acc = tl.zeros((PIXELS, BLOCK_N), tl.float32)
    acc = convolve(
        acc, x, x_strides, weights, n, row - 1, column - 1, height, width, columns,
        CHANNELS[0], KERNEL, FEW, BLOCK_K, COLUMNS, VECTOR, PRECISION,
    )  # fmt: skip
    acc += tl.load(bias + columns)[None, :]
    # A row of small pixels last and the big pixels before it: the order of the picture in memory.
    acc = tl.permute(tl.reshape(acc, (PIXELS, ROWS, PADDED)), (1, 0, 2))
    plane = block * ROWS + tl.arange(0, ROWS)  # colour * FACTOR + row of small pixels
    colour = plane // FACTOR
    right = tl.arange(0, PADDED)
    seen = (colour < COLOURS)[:, None] & ((row < height) & (column < width))[None, :]
    if skip is not None:
        pixels = pixel_offsets(n, row, column, skip_strides, 1)
        offsets = channel_offsets(colour, skip_strides)[:, None] + pixels[None, :]
        acc += tl.load(skip + offsets, mask=seen, other=0.0).to(tl.float32)[:, :, None]
    pixels = pixel_offsets(n, row * FACTOR, column * FACTOR, out_strides, OUT_VECTOR)
    planes = channel_offsets(colour, out_strides) + steps(plane % FACTOR, 0, out_strides)
    planes = tl.multiple_of(planes, [OUT_VECTOR])
    offsets = planes[:, None, None] + pixels[None, :, None] + steps(0, right, out_strides)
    kept = seen[:, :, None] & (right < FACTOR)[None, None, :]
    tl.store(out + offsets, rounded(acc, out.dtype.element_ty), mask=kept)


def conv3x3_pixel_shuffle(
    x, weight, bias, upscale_factor, skip, like: Tensor | None = None
) -> Tensor:
    """The op; ``like`` has the memory format that the result is to have, ``x`` if None."""
    if upscale_factor > MAX_FACTOR:
        return _in_steps(x, weight, bias, upscale_factor, skip)
    r = upscale_factor
    weights = packed((weight, bias), ("shuffle", r), lambda: pack_shuffle(weight, bias, r))
    shape = weight.shape[0] // r**2, r * x.shape[2], r * x.shape[3]
    out = empty_like(x if like is None else like, *shape)
    shuffle_launch(out, x, weights, r, skip).run()
    return out


def shuffle_launch(
    out: Tensor, x: Tensor, weights: Weights, factor: int, skip: Tensor | None
) -> Launch:
    """Writes the whole op into ``out``; ``weights`` from :func:`pack_shuffle`."""
    n, _, height, width = x.shape
    tiles = config(x)
    args = (
        *(out, strides(out), x, strides(x), skip, strides(skip)),
        *(weights.matrix, weights.bias, height, width),
    )
    constants = (
        weights.constants()
        | tiles.constants()
        | {
            "COLOURS": out.shape[1],
            "FACTOR": factor,
            "PADDED": _padded(factor),
            "OUT_VECTOR": gcd(*out.stride()[:3], factor * out.stride(3), 16 // out.element_size()),
            "VECTOR": vector(x),
            "PRECISION": precision(x.dtype),
        }
    )
    programs = tiles.tiles(n, height, width) * weights.blocks
    return Launch(shuffle_kernel, programs, args, constants, tiles)


def pack_shuffle(weight: Tensor, bias: Tensor | None, factor: int) -> Weights:
    """Packs them with every row of small pixels padded to a power of two."""
    padding = _padded(factor) - factor
    rows = F.pad(weight.unflatten(0, (-1, factor)), (*(0, 0) * 3, 0, padding)).flatten(0, 1)
    if bias is not None:
        bias = F.pad(bias.unflatten(0, (-1, factor)), (0, padding)).flatten()
    return pack_conv(rows, bias)


def _padded(factor: int) -> int:
    return 1 << (factor - 1).bit_length()


def _in_steps(x, weight, bias, upscale_factor, skip) -> Tensor:
    y = convolution([x], weight, bias, "none", 0.0, None)
    if skip is not None:
        y += skip.repeat_interleave(upscale_factor**2, dim=1)
    y = F.pixel_shuffle(y, upscale_factor)
    return empty_like(x, *y.shape[1:]).copy_(y)
