"""Weights as the kernels read them: transposed, padded and cast once for each of their versions."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..lowering.weight_cache import WeightCache

LEAST_SIDE = 16  # of a product on tensor cores
MAX_COLUMNS = 64  # output channels of one program

_packed = WeightCache()


def packed(weights: Sequence[Tensor | None], constants: Hashable, pack: Callable[[], Any]) -> Any:
    """``pack()``, or what it gave for the same weights and constants before."""

    def finished() -> Any:
        with torch.no_grad():
            result = pack()
        first = weights[0]
        if first is not None and first.is_cuda:  # the next call may come on another stream
            torch.cuda.current_stream(first.device).synchronize()
        return result

    return _packed.get(weights, constants, finished)


@dataclass(frozen=True)
class Weights:
    """A convolution's weights as the right-hand sides of the kernels' products, in their order.

    ``matrix``: ``[steps * block_k, columns]``, where the channels of each source are padded by
    zeros to a multiple of ``block_k``, so that no product reads two sources. ``bias``: float32
    ``[columns]``, zeros where there is none. ``channels``: of each source. ``few``: too few
    channels to fill a product, so taps and channels together are its rows.
    """

    matrix: Tensor
    bias: Tensor
    channels: tuple[int, ...]
    kernel: int
    few: bool
    block_k: int
    block_n: int

    @property
    def columns(self) -> int:
        """The output channels, padded to blocks of ``block_n``."""
        return self.matrix.shape[1]

    @property
    def blocks(self) -> int:
        """Number of programs that share the output channels of a pixel."""
        return self.columns // self.block_n

    def constants(self) -> dict[str, Any]:
        """The compile-time constants that :func:`.tile.convolve` needs."""
        return {
            "CHANNELS": self.channels,
            "KERNEL": self.kernel,
            "FEW": self.few,
            "BLOCK_K": self.block_k,
            "BLOCK_N": self.block_n,
            "COLUMNS": self.columns,
        }


def pack_conv(
    weight: Tensor,
    bias: Tensor | None,
    channels: Sequence[int] | None = None,
    dtype: torch.dtype | None = None,
) -> Weights:
    """Packs ``[Co, Ci, k, k]`` and ``[Co]``.

    Args:
        channels: of each source, in sum ``Ci``; None for one source.
        dtype: of the activations; that of ``weight`` if None.
    """
    out_channels, into, kernel, _ = weight.shape
    channels = (into,) if channels is None else tuple(channels)
    block_k, few = _depth(channels)
    block_n = min(MAX_COLUMNS, power_of_two(out_channels))
    padding = -out_channels % block_n
    parts = [_rows(part, block_k, few) for part in weight.split(channels, 1)]
    matrix = F.pad(torch.cat(parts), (0, padding)).to(dtype or weight.dtype)
    row = weight.new_zeros(out_channels) if bias is None else bias
    row = F.pad(row.float(), (0, padding))
    return Weights(matrix.contiguous(), row, channels, kernel, few, block_k, block_n)


def _depth(channels: Sequence[int]) -> tuple[int, bool]:
    """``block_k`` and ``few`` for sources of so many channels."""
    if len(channels) == 1 and channels[0] < LEAST_SIDE:
        return LEAST_SIDE, True
    pairs = all(-(-c // LEAST_SIDE) % 2 == 0 for c in channels)
    return (2 * LEAST_SIDE if pairs else LEAST_SIDE), False


def _rows(weight: Tensor, block_k: int, few: bool) -> Tensor:
    """One source's ``[Co, C, k, k]`` as ``[steps * block_k, Co]``."""
    taps = weight.flatten(2).permute(2, 1, 0)  # [k * k, C, Co]
    if few:
        return _pad_rows(taps.flatten(0, 1), block_k)
    return _pad_rows(taps, block_k).unflatten(1, (-1, block_k)).transpose(0, 1).flatten(0, 2)


def _pad_rows(x: Tensor, multiple: int) -> Tensor:
    return F.pad(x, (0, 0, 0, -x.shape[-2] % multiple))


def power_of_two(least: int) -> int:
    """The smallest power of two from ``least`` up that a product may have as a side."""
    return max(LEAST_SIDE, 1 << (least - 1).bit_length())
