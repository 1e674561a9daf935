"""Launches of kernels: tile sizes and warps per architecture, precision, padding, strides."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import gcd
from typing import Any

import torch
from torch import Tensor

from ..gpu import allows_tf32


@dataclass(frozen=True)
class Config:
    """A program's tile of output pixels, its warps, and the loads in flight at once."""

    block_h: int
    block_w: int
    num_warps: int
    num_stages: int

    def constants(self) -> dict[str, int]:
        """The compile-time constants of :func:`.tile.tile`."""
        return {"BLOCK_H": self.block_h, "BLOCK_W": self.block_w}

    def tiles(self, n: int, height: int, width: int) -> int:
        """Number of tiles that cover ``n`` pictures of ``height`` x ``width`` output pixels."""
        return n * -(-height // self.block_h) * -(-width // self.block_w)


# Compute capability -> how products are taken -> configuration. None: every other GPU. The
# figures come from the compiler's report (registers, shared memory), not from measurements.
_CONFIGS: dict[tuple[int, int] | None, dict[str, Config]] = {
    (8, 0): {
        "half": Config(4, 32, 4, 4),
        "tf32": Config(4, 32, 4, 3),
        "ieee": Config(2, 32, 4, 2),
    },
    (9, 0): {
        "half": Config(4, 32, 4, 4),
        "tf32": Config(4, 32, 4, 4),
        "ieee": Config(2, 32, 4, 2),
    },
    (10, 0): {
        "half": Config(4, 32, 4, 4),
        "tf32": Config(4, 32, 4, 3),
        "ieee": Config(2, 32, 4, 2),
    },
    None: {
        "half": Config(4, 32, 4, 3),
        "tf32": Config(4, 32, 4, 2),
        "ieee": Config(2, 32, 4, 2),
    },
}


@cache
def architecture(device: torch.device) -> tuple[int, int] | None:
    """The compute capability that has a configuration of its own, or None."""
    if device.type != "cuda":
        return None
    capability = torch.cuda.get_device_capability(device)
    return capability if capability in _CONFIGS else None


def precision(dtype: torch.dtype) -> str:
    """Precision of products of ``dtype``: ``tf32`` for float32 where the user lets torch's own
    convolutions use it, else ``ieee``.
    """
    return "tf32" if dtype == torch.float32 and allows_tf32() else "ieee"


def config(x: Tensor) -> Config:
    """The configuration for activations like ``x``."""
    kind = "half" if x.element_size() == 2 else precision(x.dtype)
    return _CONFIGS[architecture(x.device)][kind]


@dataclass(frozen=True)
class Launch:
    """One kernel with everything it is started with; :meth:`run` starts it.

    ``args``: tensors (the result first), numbers, None, or tuples of them, in the kernel's order.
    ``constants``: its compile-time constants, by name.
    """

    kernel: Any
    programs: int
    args: tuple
    constants: dict[str, Any]
    config: Config

    def run(self) -> None:
        """Starts the kernel on the current stream of the result's device."""
        options = {"num_warps": self.config.num_warps, "num_stages": self.config.num_stages}
        with torch.cuda.device_of(self.args[0]):
            self.kernel[(self.programs,)](*self.args, **self.constants, **options)


def strides(x: Tensor | None) -> tuple[int, ...]:
    """Strides of N, C, H, W, in elements; zeros for None."""
    return (0, 0, 0, 0) if x is None else x.stride()


def vector(x: Tensor | None) -> int:
    """The power of two that divides every step to another pixel, at most 16 bytes.

    The compiler learns from it how many channels one instruction may move.
    """
    if x is None:
        return 1
    n, _, h, w = (step if size > 1 else 0 for step, size in zip(x.stride(), x.shape, strict=True))
    return gcd(n, h, w, 16 // x.element_size())
