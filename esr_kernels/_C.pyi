"""The compiled module, ``python/bindings.cpp`` and ``cuda_bindings.cpp``, for type checkers.

Without a C++ compiler it is missing; ``cuda`` is missing without nvcc.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

_Array: TypeAlias = NDArray[np.float64]
#: Weight and bias of each convolution of an op.
_Weights: TypeAlias = Sequence[tuple[_Array, _Array | None]]
#: Address, and strides in floats: batch, channel, row, pixel. Of the channel's and the pixel's, one
#: is 1; of what is written shuffled, the pixel's.
_Picture: TypeAlias = tuple[int, int, int, int, int]
#: Address, and strides in floats: batch, token, number.
_Sequence: TypeAlias = tuple[int, int, int, int]
#: Address, strides of n, c, y, x in elements, and type of an element: f32, f16, bf16 or u8.
_CudaPicture: TypeAlias = tuple[int, int, int, int, int, str]

build_note: str

def built_isas() -> list[str]:
    """Instruction sets compiled in, best first."""

def isas() -> list[str]:
    """Those that this processor runs, best first."""

def missing() -> list[tuple[str, str]]:
    """The other sets that were built, and what this machine lacks for each."""

def checksum(pieces: Sequence[tuple[int, int]], threads: int) -> int:
    """A number that changes when anything in these pieces of memory, address and bytes, does."""

def selective_scan(
    c: _Sequence,
    delta: _Sequence,
    B: _Sequence,
    K: _Sequence,
    A: int,
    D: int,
    out: int,
    sizes: tuple[int, int, int, int],
    threads: int,
    isa: str = "",
) -> None:
    """Four strided sequences, three addresses, and (batch, length, channels, states)."""

_Device = tuple[int, int, bool]
_Size = tuple[int, ...]

class _Steps:
    """What every program is built of; a value of it is an int."""

    def input(self, channels: int, shift: _Array | None = None) -> int: ...
    def conv(
        self,
        sources: Sequence[int],
        weight: _Array,
        bias: _Array | None,
        act: str = "none",
        slope: float = 0.0,
        residual: int = -1,
    ) -> int: ...
    def output(self, value: int, factor: int = 1, skip: int = -1) -> None: ...

class Program(_Steps):
    """Steps over rows of pictures; see ``csrc/cpu/program.h``."""

    def __init__(self, isa: str = "", in_bfloat16: bool = False) -> None: ...
    @property
    def isa(self) -> str: ...
    @property
    def has_tiles(self) -> bool:
        """True if its convolutions multiply in bfloat16, on matrix tiles."""
    def depthwise(
        self,
        source: int,
        weight: _Array,
        bias: _Array | None,
        act: str = "none",
        slope: float = 0.0,
        residual: int = -1,
        dilation: int = 1,
        reflect: bool = False,
    ) -> int: ...
    def direct_conv(
        self,
        sources: Sequence[int],
        weight: _Array,
        bias: _Array | None,
        act: str = "none",
        slope: float = 0.0,
        residual: int = -1,
        dilation: int = 1,
        groups: int = 1,
    ) -> int: ...
    def strided_conv(
        self,
        source: int,
        weight: _Array,
        bias: _Array | None,
        act: str = "none",
        slope: float = 0.0,
        residual: int = -1,
        padding: int = 0,
    ) -> int: ...
    def max_pool(self, source: int, kernel: int, stride: int, padding: int = 0) -> int: ...
    def channel_norm(
        self, source: int, weight: _Array, bias: _Array, eps: float, kind: str = "layer"
    ) -> int: ...
    def formula(
        self,
        sources: Sequence[int],
        constants: _Array,
        terms: Sequence[tuple[str, int, int]],
    ) -> int: ...
    def bilinear(self, source: int, like: int = -1, factor: int = 1) -> int: ...
    def nearest(self, source: int, like: int = -1, factor: int = 1) -> int: ...
    def window_variance(self, source: int, kernel: int, stride: int, padding: int = 0) -> int: ...
    def adaptive_max_pool(self, source: int, divisor: int) -> int: ...
    def join(self, sources: Sequence[int]) -> int: ...
    def part(self, source: int, first: int, count: int) -> int: ...
    def statistic(self, source: int, measure: str, correction: int) -> int: ...
    def pixel(self, channels: int) -> int: ...
    def size_of(self, value: int, height: int, width: int) -> tuple[int, int]: ...
    def run(
        self,
        inputs: Sequence[_Picture],
        outputs: Sequence[_Picture],
        batch: int,
        height: int,
        width: int,
        threads: int,
    ) -> None: ...

class _CudaProgram(_Steps):
    """Steps over slabs of pixels; see ``csrc/cuda/program.h``.

    A device is ``(sm_count, shared_bytes, fast_half_sums)``, a size ``(batch, height, width)``.
    """

    def __init__(
        self,
        format: str,
        *,
        fusion: str = "auto",
        half_sums: str = "never",
        n_tiles: int | None = None,
        blocks_per_sm: int | None = None,
        shared_bytes: int | None = None,
    ) -> None: ...
    def __getattr__(self, op: str) -> Callable[[int, _Weights], Any]:
        """The step of an op that is one kernel: its input and weights to its results."""

    def constants(self) -> NDArray[np.uint8]: ...
    def workspace_bytes(self, device: _Device, size: _Size) -> int: ...
    def launches(self, device: _Device, size: _Size) -> list[str]: ...
    def forms(self, device: _Device, size: _Size) -> list[str]: ...
    def run(
        self,
        inputs: Sequence[_CudaPicture],
        outputs: Sequence[_CudaPicture],
        size: _Size,
        constants: int,
        workspace: int,
        device: _Device,
        stream: int,
    ) -> None: ...

class _Cuda:
    """The submodule ``esr_kernels._C.cuda``."""

    targets: tuple[str, ...]
    def forms(self) -> list[str]: ...
    Program: type[_CudaProgram]

cuda: _Cuda
