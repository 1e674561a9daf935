"""Device functions that the kernels share: tiles of pixels, implicit GEMM, the epilogue.

Offsets are 64-bit: a picture may have more than 2^31 elements.
"""

from __future__ import annotations

import triton
import triton.language as tl

# Triton's interpreter takes the bits of bfloat16 for integers when it multiplies, and cuts them off
# instead of rounding.
INTERPRETED = tl.constexpr(triton.knobs.runtime.interpret)


@triton.jit
def product(left, right, acc, PRECISION: tl.constexpr):
    """``left @ right + acc``, in float32 but for the operands."""
    if INTERPRETED:
        left, right = left.to(tl.float32), right.to(tl.float32)
    return tl.dot(left, right, acc, input_precision=PRECISION)


@triton.jit
def rounded(y, DTYPE: tl.constexpr):
    """The float32 ``y`` as the nearest number of ``DTYPE``."""
    if INTERPRETED and DTYPE.is_bf16():
        bits = y.to(tl.int32, bitcast=True)
        y = (bits + 0x7FFF + ((bits >> 16) & 1)).to(tl.float32, bitcast=True)
    return y.to(DTYPE)


@triton.jit
def tile(program, height, width, BLOCK_H: tl.constexpr, BLOCK_W: tl.constexpr):
    """Picture, and row and column of each pixel, of the tile with this number; in row order."""
    across = tl.cdiv(width, BLOCK_W)
    down = tl.cdiv(height, BLOCK_H)
    pixel = tl.arange(0, BLOCK_H * BLOCK_W)
    y = program // across % down * BLOCK_H + pixel // BLOCK_W
    x = program % across * BLOCK_W + pixel % BLOCK_W
    return program // (across * down), y, x


@triton.jit
def pixel_offsets(n, y, x, strides, VECTOR: tl.constexpr):
    """Offsets of pixels in a tensor whose steps between pixels ``VECTOR`` divides."""
    offsets = tl.cast(n, tl.int64) * strides[0] + steps(y, x, strides)
    return tl.multiple_of(offsets, [VECTOR])


@triton.jit
def steps(down, right, strides):
    """Distance from a pixel to one that lies so many rows below and columns to the right."""
    return tl.cast(down, tl.int64) * strides[2] + tl.cast(right, tl.int64) * strides[3]


@triton.jit
def channel_offsets(channel, strides):
    """Offsets of channels in a tensor."""
    return tl.cast(channel, tl.int64) * strides[1]


@triton.jit
def element_offsets(n, y, x, channel, strides, VECTOR: tl.constexpr):
    """Offsets ``[pixels, channels]``; see :func:`pixel_offsets`."""
    pixels = pixel_offsets(n, y, x, strides, VECTOR)
    return pixels[:, None] + channel_offsets(channel, strides)[None, :]


@triton.jit
def load_tap(
    source, strides, origin, y, x, height, width, tap, channel,
    CHANNELS: tl.constexpr, KERNEL: tl.constexpr, VECTOR: tl.constexpr,
):  # fmt: skip
    """``[pixels, channels]`` of one tap; zero outside of the source and beyond its channels."""
    pixels = origin + steps(tap // KERNEL, tap % KERNEL, strides)
    pixels = tl.multiple_of(pixels, [VECTOR])
    offsets = pixels[:, None] + channel_offsets(channel, strides)[None, :]
    y += tap // KERNEL
    x += tap % KERNEL
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    mask = inside[:, None] & (channel < CHANNELS)[None, :]
    return tl.load(source + offsets, mask=mask, other=0.0)


@triton.jit
def load_taps(
    source, strides, origin, y, x, height, width, row,
    CHANNELS: tl.constexpr, KERNEL: tl.constexpr,
):  # fmt: skip
    """``[pixels, rows]``, where a row is a channel of a tap; zero as in :func:`load_tap`."""
    tap = row // CHANNELS
    shift = steps(tap // KERNEL, tap % KERNEL, strides)
    shift += channel_offsets(row % CHANNELS, strides)
    y = y[:, None] + (tap // KERNEL)[None, :]
    x = x[:, None] + (tap % KERNEL)[None, :]
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    mask = inside & (tap < KERNEL * KERNEL)[None, :]
    return tl.load(source + origin[:, None] + shift[None, :], mask=mask, other=0.0)


@triton.jit
def convolve(
    acc, source, strides, weights, n, y, x, height, width, columns,
    CHANNELS: tl.constexpr, KERNEL: tl.constexpr, FEW: tl.constexpr, BLOCK_K: tl.constexpr,
    COLUMNS: tl.constexpr, VECTOR: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """``acc`` plus the convolution whose first tap is at row ``y``, column ``x`` of each pixel.

    ``weights``: as :class:`.packing.Weights` lays them out, from this source's on. The source is
    ``height`` x ``width`` and zero outside.
    """
    TAPS: tl.constexpr = KERNEL * KERNEL
    STEPS: tl.constexpr = (
        tl.cdiv(TAPS * CHANNELS, BLOCK_K) if FEW else TAPS * tl.cdiv(CHANNELS, BLOCK_K)
    )
    k = tl.arange(0, BLOCK_K)
    weights += k[:, None] * COLUMNS + columns[None, :]
    origin = pixel_offsets(n, y, x, strides, VECTOR)
    for step in range(STEPS):
        if FEW:
            left = load_taps(
                source, strides, origin, y, x, height, width, step * BLOCK_K + k, CHANNELS, KERNEL
            )
        else:
            left = load_tap(
                source, strides, origin, y, x, height, width,
                step % TAPS, step // TAPS * BLOCK_K + k, CHANNELS, KERNEL, VECTOR,
            )  # fmt: skip
        acc = product(left, tl.load(weights + step * BLOCK_K * COLUMNS), acc, PRECISION)
    return acc


@triton.jit
def sigmoid(y):
    return 1 / (1 + tl.exp(-y))


@triton.jit
def activate(y, slope, ACT: tl.constexpr):
    """The activations but ``span_gate``; NaN stays NaN."""
    if ACT == "relu":
        y = tl.where(y < 0, 0.0, y)
    elif ACT == "lrelu":
        y = tl.where(y < 0, slope * y, y)
    elif ACT == "silu":
        y *= sigmoid(y)
    elif ACT == "gelu":
        y *= 0.5 * (1 + tl.erf(y * 0.7071067811865476))
    return y


@triton.jit
def epilogue(y, u, slope, ACT: tl.constexpr):
    """All that follows a convolution: ``u`` is the residual, or None."""
    if ACT == "span_gate":
        return (y + u) * (sigmoid(y) - 0.5)
    y = activate(y, slope, ACT)
    if u is not None:
        y += u
    return y


@triton.jit
def finish(
    acc, out, out_strides, residual, residual_strides, slope, n, y, x, height, width, columns,
    CHANNELS: tl.constexpr, ACT: tl.constexpr, OUT_VECTOR: tl.constexpr,
    RESIDUAL_VECTOR: tl.constexpr,
):  # fmt: skip
    """Epilogue and store of the sums ``[pixels, columns]`` of an output of ``height`` x ``width``
    pixels and ``CHANNELS``. ``residual``: None, or a tensor of the output's shape."""
    kept = ((y < height) & (x < width))[:, None] & (columns < CHANNELS)[None, :]
    u = None
    if residual is not None:
        offsets = element_offsets(n, y, x, columns, residual_strides, RESIDUAL_VECTOR)
        u = tl.load(residual + offsets, mask=kept, other=0.0).to(tl.float32)
    acc = epilogue(acc, u, slope, ACT)
    offsets = element_offsets(n, y, x, columns, out_strides, OUT_VECTOR)
    tl.store(out + offsets, rounded(acc, out.dtype.element_ty), mask=kept)
