"""``esa`` in four launches: to the small map, its pooling, its convolution, and the gate.

The 1x1 convolution at the start is nowhere computed: it is merged, in float64, into the two
convolutions that read it. Neither has zero padding, so nothing differs at the border.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
import triton
import triton.language as tl
from torch import Tensor

from ...layout import empty_like
from ..convolution import conv_launch
from ..launch import Launch, config, precision, strides, vector
from ..packing import Weights, pack_conv, packed, power_of_two
from ..tile import convolve, element_offsets, product, rounded, sigmoid, tile

POOL, POOL_STRIDE = 7, 3


@triton.jit
def pool_kernel(
    out, out_strides, x, x_strides, out_height, out_width,
    CHANNELS: tl.constexpr, BLOCK_N: tl.constexpr, POOL: tl.constexpr, STRIDE: tl.constexpr,
    BLOCK_H: tl.constexpr, BLOCK_W: tl.constexpr, OUT_VECTOR: tl.constexpr, VECTOR: tl.constexpr,
):  # fmt: skip
    n, row, column = tile(tl.program_id(0), out_height, out_width, BLOCK_H, BLOCK_W)
    channel = tl.arange(0, BLOCK_N)
    kept = ((row < out_height) & (column < out_width))[:, None] & (channel < CHANNELS)[None, :]
    best = tl.full((BLOCK_H * BLOCK_W, BLOCK_N), float("-inf"), tl.float32)
    for step in range(POOL * POOL):
        y, x_ = row * STRIDE + step // POOL, column * STRIDE + step % POOL
        offsets = element_offsets(n, y, x_, channel, x_strides, VECTOR)
        value = tl.load(x + offsets, mask=kept, other=0.0).to(tl.float32)
        best = tl.maximum(best, value, propagate_nan=tl.PropagateNan.ALL)
    offsets = element_offsets(n, row, column, channel, out_strides, OUT_VECTOR)
    tl.store(out + offsets, rounded(best, out.dtype.element_ty), mask=kept)


@triton.jit
def between(index, size, small_size):
    """The two rows (or columns) of the small map around ``index``, and the share of the second.

    In whole numbers up to the division: bilinear with align_corners=False.
    """
    position = tl.maximum((2 * tl.cast(index, tl.int64) + 1) * small_size - size, 0)
    first = tl.minimum(position // (2 * size), small_size - 1)
    share = (position - first * 2 * size).to(tl.float32) / (2.0 * size)
    return first, tl.minimum(first + 1, small_size - 1), share


@triton.jit
def enlarged(
    small, strides, n, row, column, feature, kept, height, width, small_height, small_width,
    VECTOR: tl.constexpr,
):  # fmt: skip
    """The small map stretched over ``height`` x ``width``, at some of the pixels."""
    top, bottom, down = between(row, height, small_height)
    left, right, across = between(column, width, small_width)
    result = tl.zeros(kept.shape, tl.float32)
    for corner in tl.static_range(4):
        y, y_share = (bottom, down) if corner // 2 else (top, 1 - down)
        x, x_share = (right, across) if corner % 2 else (left, 1 - across)
        offsets = element_offsets(n, y, x, feature, strides, VECTOR)
        value = tl.load(small + offsets, mask=kept, other=0.0).to(tl.float32)
        result += (y_share * x_share)[:, None] * value
    return result


@triton.jit
def gate_kernel(
    out, out_strides, x, x_strides, small, small_strides,
    inner, inner_bias, outer, outer_bias, height, width, small_height, small_width,
    CHANNELS: tl.constexpr, FEATURES: tl.constexpr, KERNEL: tl.constexpr, FEW: tl.constexpr,
    BLOCK_K: tl.constexpr, BLOCK_F: tl.constexpr, BLOCK_N: tl.constexpr, COLUMNS: tl.constexpr,
    BLOCK_H: tl.constexpr, BLOCK_W: tl.constexpr, OUT_VECTOR: tl.constexpr, VECTOR: tl.constexpr,
    SMALL_VECTOR: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    BLOCKS: tl.constexpr = COLUMNS // BLOCK_N
    program = tl.program_id(0)
    n, row, column = tile(program // BLOCKS, height, width, BLOCK_H, BLOCK_W)
    feature = tl.arange(0, BLOCK_F)
    z = tl.zeros((BLOCK_H * BLOCK_W, BLOCK_F), tl.float32)
    z = convolve(
        z, x, x_strides, inner, n, row, column, height, width, feature,
        CHANNELS, KERNEL, FEW, BLOCK_K, BLOCK_F, VECTOR, PRECISION,
    )  # fmt: skip
    z += tl.load(inner_bias + feature)[None, :]
    seen = (row < height) & (column < width)
    kept = seen[:, None] & (feature < FEATURES)[None, :]
    z += enlarged(
        small, small_strides, n, row, column, feature, kept,
        height, width, small_height, small_width, SMALL_VECTOR,
    )  # fmt: skip
    columns = program % BLOCKS * BLOCK_N + tl.arange(0, BLOCK_N)
    weights = tl.load(outer + feature[:, None] * COLUMNS + columns[None, :])
    gate = tl.zeros((BLOCK_H * BLOCK_W, BLOCK_N), tl.float32)
    gate = product(rounded(z, x.dtype.element_ty), weights, gate, PRECISION)
    gate = sigmoid(gate + tl.load(outer_bias + columns)[None, :])
    kept = seen[:, None] & (columns < CHANNELS)[None, :]
    offsets = element_offsets(n, row, column, columns, x_strides, VECTOR)
    gate *= tl.load(x + offsets, mask=kept, other=0.0).to(tl.float32)
    offsets = element_offsets(n, row, column, columns, out_strides, OUT_VECTOR)
    tl.store(out + offsets, rounded(gate, out.dtype.element_ty), mask=kept)


@dataclass(frozen=True)
class Packed:
    """``down``: conv1 and conv2 in one. ``small``: conv3. ``inner``: conv1 and conv_f in one.
    ``outer``: conv4. What flows between these two is padded to a power of two."""

    down: Weights
    small: Weights
    inner: Weights
    outer: Weights


def esa(x, w1, b1, w_f, b_f, w2, b2, w3, b3, w4, b4) -> Tensor:
    weights = w1, b1, w_f, b_f, w2, b2, w3, b3, w4, b4
    known = packed(weights, ("esa",), lambda: pack_esa(*weights))
    out = empty_like(x, *x.shape[1:])
    for launch in esa_launches(out, x, known):
        launch.run()
    return out


def esa_launches(out: Tensor, x: Tensor, weights: Packed) -> list[Launch]:
    """Writes the whole op into ``out``."""
    features = weights.small.channels[0]
    height, width = ((size - 3) // 2 + 1 for size in x.shape[2:])
    halved = _map(x, features, height, width)
    height, width = ((size - POOL) // POOL_STRIDE + 1 for size in (height, width))
    pooled, small = (_map(x, features, height, width) for _ in range(2))
    return [
        conv_launch(halved, [x], weights.down, stride=2, padding=0),
        _pool(pooled, halved),
        conv_launch(small, [pooled], weights.small),
        _gate(out, x, small, weights),
    ]


def _map(x: Tensor, *shape: int) -> Tensor:
    return x.new_empty(x.shape[0], *shape).contiguous(memory_format=torch.channels_last)


def _pool(out: Tensor, x: Tensor) -> Launch:
    n, channels, height, width = out.shape
    tiles = config(x)
    constants = tiles.constants() | {
        "CHANNELS": channels,
        "BLOCK_N": power_of_two(channels),
        "POOL": POOL,
        "STRIDE": POOL_STRIDE,
        "OUT_VECTOR": vector(out),
        "VECTOR": vector(x),
    }
    args = out, strides(out), x, strides(x), height, width
    return Launch(pool_kernel, tiles.tiles(n, height, width), args, constants, tiles)


def _gate(out: Tensor, x: Tensor, small: Tensor, weights: Packed) -> Launch:
    n, channels, height, width = x.shape
    inner, outer = weights.inner, weights.outer
    tiles = config(x)
    args = (
        *(out, strides(out), x, strides(x), small, strides(small)),
        *(inner.matrix, inner.bias, outer.matrix, outer.bias),
        *(height, width, *small.shape[2:]),
    )
    constants = (
        inner.constants()
        | tiles.constants()
        | {
            "CHANNELS": channels,
            "FEATURES": small.shape[1],
            "BLOCK_F": inner.columns,
            "BLOCK_N": outer.block_n,
            "COLUMNS": outer.columns,
            "OUT_VECTOR": vector(out),
            "VECTOR": vector(x),
            "SMALL_VECTOR": vector(small),
            "PRECISION": precision(x.dtype),
        }
    )
    programs = tiles.tiles(n, height, width) * outer.blocks
    return Launch(gate_kernel, programs, args, constants, tiles)


def pack_esa(w1, b1, w_f, b_f, w2, b2, w3, b3, w4, b4) -> Packed:
    """Packs them, the first convolution merged into the two that read its result."""
    more = power_of_two(w_f.shape[0]) - w_f.shape[0]
    inner, inner_bias = _merged(w1, b1, w_f, b_f)
    inner, inner_bias = F.pad(inner, (*(0, 0) * 3, 0, more)), F.pad(inner_bias, (0, more))
    return Packed(
        down=pack_conv(*_merged(w1, b1, w2, b2), dtype=w1.dtype),
        small=pack_conv(w3, b3),
        inner=pack_conv(inner, inner_bias, dtype=w1.dtype),
        outer=pack_conv(F.pad(w4, (0, 0, 0, 0, 0, more)), b4),
    )


def _merged(w1, b1, w, b) -> tuple[Tensor, Tensor]:
    """The float64 weight and bias of ``conv(conv1(x))``, where ``conv`` has no zero padding."""
    merged = torch.einsum("ofyx,fc->ocyx", w.double(), w1[:, :, 0, 0].double())
    bias = w.new_zeros(w.shape[0]).double() if b is None else b.double()
    if b1 is not None:
        bias = bias + w.double().sum((2, 3)) @ b1.double()
    return merged, bias
