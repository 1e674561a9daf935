"""Convolution as an implicit GEMM: pixels by channels, one product per tap and channel block."""

from __future__ import annotations

from collections.abc import Sequence

import triton
import triton.language as tl
from torch import Tensor

from ..layout import empty_like
from .launch import Launch, config, precision, strides, vector
from .packing import Weights, pack_conv, packed
from .tile import convolve, finish, tile


@triton.jit
def conv_kernel(
    out, out_strides, sources, source_strides, residual, residual_strides,
    weights, bias, slope, height, width, out_height, out_width,
    CHANNELS: tl.constexpr, OUT_CHANNELS: tl.constexpr, ACT: tl.constexpr,
    KERNEL: tl.constexpr, STRIDE: tl.constexpr, PADDING: tl.constexpr,
    FEW: tl.constexpr, BLOCK_K: tl.constexpr, BLOCK_N: tl.constexpr, COLUMNS: tl.constexpr,
    BLOCK_H: tl.constexpr, BLOCK_W: tl.constexpr, OUT_VECTOR: tl.constexpr,
    VECTORS: tl.constexpr, RESIDUAL_VECTOR: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    BLOCKS: tl.constexpr = COLUMNS // BLOCK_N
    program = tl.program_id(0)
    n, y, x = tile(program // BLOCKS, out_height, out_width, BLOCK_H, BLOCK_W)
    columns = program % BLOCKS * BLOCK_N + tl.arange(0, BLOCK_N)
    acc = tl.zeros((BLOCK_H * BLOCK_W, BLOCK_N), tl.float32)
    for i in tl.static_range(len(CHANNELS)):
        acc = convolve(
            acc, sources[i], source_strides[i], weights, n,
            y * STRIDE - PADDING, x * STRIDE - PADDING, height, width, columns,
            CHANNELS[i], KERNEL, FEW, BLOCK_K, COLUMNS, VECTORS[i], PRECISION,
        )  # fmt: skip
        weights += KERNEL * KERNEL * tl.cdiv(CHANNELS[i], BLOCK_K) * BLOCK_K * COLUMNS
    acc += tl.load(bias + columns)[None, :]
    finish(
        acc, out, out_strides, residual, residual_strides, slope, n, y, x, out_height, out_width,
        columns, OUT_CHANNELS, ACT, OUT_VECTOR, RESIDUAL_VECTOR,
    )  # fmt: skip


def conv_launch(
    out: Tensor,
    sources: Sequence[Tensor],
    weights: Weights,
    *,
    act: str = "none",
    slope: float = 0.0,
    residual: Tensor | None = None,
    stride: int = 1,
    padding: int | None = None,
) -> Launch:
    """Write the convolution of the sources' concatenation into ``out``; the same size by default.

    ``padding``: zeros around the sources, ``(kernel - 1) / 2`` if None.
    """
    n, out_channels, out_height, out_width = out.shape
    height, width = sources[0].shape[2:]
    tiles = config(out)
    args = (
        *(out, strides(out)),
        *(tuple(sources), tuple(strides(x) for x in sources)),
        *(residual, strides(residual)),
        *(weights.matrix, weights.bias, float(slope)),
        *(height, width, out_height, out_width),
    )
    constants = (
        weights.constants()
        | tiles.constants()
        | {
            "OUT_CHANNELS": out_channels,
            "ACT": act,
            "STRIDE": stride,
            "PADDING": weights.kernel // 2 if padding is None else padding,
            "OUT_VECTOR": vector(out),
            "VECTORS": tuple(vector(x) for x in sources),
            "RESIDUAL_VECTOR": vector(residual),
            "PRECISION": precision(out.dtype),
        }
    )
    programs = tiles.tiles(n, out_height, out_width) * weights.blocks
    return Launch(conv_kernel, programs, args, constants, tiles)


def convolution(inputs, weight, bias, act, slope, residual, out: Tensor | None = None):
    """Compute a 3x3 or 1x1 convolution with its epilogue; arguments as in the op's schema."""
    channels = tuple(x.shape[1] for x in inputs)
    weights = packed((weight, bias), (channels,), lambda: pack_conv(weight, bias, channels))
    result = out
    if result is None:
        result = empty_like(inputs[0], weight.shape[0], *inputs[0].shape[2:])
    launch = conv_launch(result, inputs, weights, act=act, slope=slope, residual=residual)
    launch.run()
    return result if out is None else None
