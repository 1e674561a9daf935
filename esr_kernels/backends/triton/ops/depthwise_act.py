"""``depthwise_act``: nine taps of vectors of channels, without a product of matrices.

Its pointwise convolution is a launch of the convolution's kernel before. One kernel for both would
need the pointwise result of each pixel at its neighbours too, and what a product leaves in
registers cannot be shifted by a pixel: it would be computed for all nine taps. Between two launches
it is written once and read once, as often as the depthwise kernel, which is bound by memory, moves
its picture anyway. Kernels of other sizes are left to torch.
"""

from __future__ import annotations

import torch.nn.functional as F
import triton
import triton.language as tl
from torch import Tensor

from ...layout import empty_like
from ..convolution import convolution
from ..launch import Launch, config, strides, vector
from ..packing import packed
from ..tile import finish, load_tap, pixel_offsets, tile

BLOCK_N = 16  # channels of one program: of float16, the 32 bytes that memory moves at once


@triton.jit
def depthwise_kernel(
    out, out_strides, source, source_strides, residual, residual_strides,
    weights, bias, slope, height, width,
    CHANNELS: tl.constexpr, ACT: tl.constexpr, BLOCK_N: tl.constexpr, COLUMNS: tl.constexpr,
    BLOCK_H: tl.constexpr, BLOCK_W: tl.constexpr, OUT_VECTOR: tl.constexpr,
    VECTOR: tl.constexpr, RESIDUAL_VECTOR: tl.constexpr,
):  # fmt: skip
    BLOCKS: tl.constexpr = COLUMNS // BLOCK_N
    program = tl.program_id(0)
    n, y, x = tile(program // BLOCKS, height, width, BLOCK_H, BLOCK_W)
    columns = program % BLOCKS * BLOCK_N + tl.arange(0, BLOCK_N)
    origin = pixel_offsets(n, y - 1, x - 1, source_strides, VECTOR)
    acc = tl.zeros((BLOCK_H * BLOCK_W, BLOCK_N), tl.float32)
    for tap in tl.static_range(9):
        pixels = load_tap(
            source, source_strides, origin, y - 1, x - 1, height, width,
            tap, columns, CHANNELS, 3, VECTOR,
        )  # fmt: skip
        acc += pixels.to(tl.float32) * tl.load(weights + tap * COLUMNS + columns)[None, :]
    acc += tl.load(bias + columns)[None, :]
    finish(
        acc, out, out_strides, residual, residual_strides, slope, n, y, x, height, width,
        columns, CHANNELS, ACT, OUT_VECTOR, RESIDUAL_VECTOR,
    )  # fmt: skip


def pack_depthwise(weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """``[9, columns]`` and ``[columns]`` of float32: the channels padded by zeros to whole blocks,
    and zeros where there is no bias."""
    channels = weight.shape[0]
    padding = (0, -channels % BLOCK_N)
    taps = F.pad(weight.float().reshape(channels, 9).T, padding)
    row = weight.new_zeros(channels) if bias is None else bias
    return taps.contiguous(), F.pad(row.float(), padding)


def depthwise_launch(
    out: Tensor,
    x: Tensor,
    weights: tuple[Tensor, Tensor],
    *,
    act: str = "none",
    slope: float = 0.0,
    residual: Tensor | None = None,
) -> Launch:
    """Writes the depthwise convolution of ``x`` with ``weights``, packed, into ``out``."""
    n, channels, height, width = out.shape
    taps, bias = weights
    tiles = config(out)
    args = (
        *(out, strides(out), x, strides(x), residual, strides(residual)),
        *(taps, bias, float(slope), height, width),
    )
    constants = tiles.constants() | {
        "CHANNELS": channels,
        "ACT": act,
        "BLOCK_N": BLOCK_N,
        "COLUMNS": taps.shape[1],
        "OUT_VECTOR": vector(out),
        "VECTOR": vector(x),
        "RESIDUAL_VECTOR": vector(residual),
    }
    programs = tiles.tiles(n, height, width) * (taps.shape[1] // BLOCK_N)
    return Launch(depthwise_kernel, programs, args, constants, tiles)


def takes(x, weight: Tensor, *rest) -> bool:
    """Return true for a kernel of 3x3 without dilation, zeros around it."""
    return weight.shape[2:] == (3, 3) and rest[-2:] == (1, "zeros")


def depthwise_act(
    x, weight, bias, act, slope, residual, pointwise, pointwise_bias, dilation, padding_mode
) -> Tensor:
    if pointwise is not None:
        x = convolution([x], pointwise, pointwise_bias, "none", 0.0, None)
    weights = packed((weight, bias), (), lambda: pack_depthwise(weight, bias))
    out = empty_like(x, *x.shape[1:])
    depthwise_launch(out, x, weights, act=act, slope=slope, residual=residual).run()
    return out
