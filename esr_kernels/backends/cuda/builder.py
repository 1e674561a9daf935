"""From ops to a program of the CUDA kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from esr_kernels import _C

from ...op import Op
from .. import gpu
from ..layout import empty_like
from ..lowering import lower, program
from .device import current_stream, limits

_FORMATS = {torch.float16: "f16", torch.bfloat16: "bf16", torch.float32: "tf32"}
_ELEMENTS = {torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16"}
# A convolution's sources, in slabs of 8 channels: kMaxSlabs of csrc/cuda/slabs.h. 16-bit numbers
# have 16 in a slab, so they could do with half.
MAX_SLABS = 96
MAX_ESA_CHANNELS = 32  # of its small maps: kEsaMaxChannels of csrc/cuda/esa.h
MAX_GATED_CHANNELS = 512  # of its picture: conv4's weights stay in shared memory


class Builder(program.Builder):
    """A program that multiplies numbers of ``dtype``; float32 is rounded to TF32 for that.

    Args:
        dtype: float16, bfloat16 or float32.
        force: kernel forms to use instead of what estimates choose, for tests and measurements.
            ``fusion``: of SPAN's blocks, ``"fused"`` in one kernel or ``"apart"`` as three
            convolutions.
            ``half_sums``: ``"always"`` keeps the sums of float16 in float16, ``"never"`` in
            float32; ``"auto"``, where that is faster, is the default once the user allows it.
            ``n_tiles``: 8 columns each that a convolution's block makes: 2, 4, 6 or 8.
            ``blocks_per_sm``: of convolutions, 1 or 2. ``shared_bytes``: of memory that a block
            may have, if less than on the device.

    Raises:
        ValueError: there is no such kernel. Where it does not fit the device, :meth:`run` raises.
    """

    def __init__(self, dtype: torch.dtype, **force: Any) -> None:
        if dtype == torch.float16 and gpu.allows_float16_sums():
            force.setdefault("half_sums", "auto")
        super().__init__(_C.cuda.Program(_FORMATS[dtype], **force))
        self._dtype = dtype
        self._constants: dict[torch.device, Tensor] = {}

    def spab(self, x: int, *weights: Tensor | None) -> tuple[int, int]:
        """``spab`` in one step; ``weights`` as in its schema."""
        o, t = self.program.spab(x, program.pairs(weights))
        self._channels[o] = self._channels[t] = self._channels[x]
        return o, t

    def esa(self, q: int, *weights: Tensor | None) -> int:
        """``esa`` in one step; ``weights`` as in its schema."""
        value = self.program.esa(q, program.pairs(weights))
        self._channels[value] = self._channels[q]
        return value

    def run(
        self,
        inputs: Sequence[Tensor],
        dtypes: Sequence[torch.dtype] | None = None,
        out: Sequence[Tensor] | None = None,
    ) -> list[Tensor]:
        """See the base class. Enqueues everything on the device's current stream."""
        like = inputs[0]
        size = self._size(inputs)
        if out is None:
            shapes = self._shapes(*size)
            dtypes = dtypes or [like.dtype] * len(shapes)
            out = [
                empty_like(like, channels, height, width, dtype)
                for (_, channels, height, width), dtype in zip(shapes, dtypes, strict=True)
            ]
        read = [x if x.dtype in _ELEMENTS else x.to(self._dtype) for x in inputs]
        here = limits(like.device)
        constants = self._constants_on(like.device)
        bytes_ = self.program.workspace_bytes(here, size)
        workspace = torch.empty(bytes_, dtype=torch.uint8, device=like.device)
        addresses = constants.data_ptr(), workspace.data_ptr()
        pictures = [_picture(x) for x in read], [_picture(y) for y in out]
        with current_stream(like.device) as stream:
            self.program.run(*pictures, size, *addresses, here, stream)
        return list(out)

    def _constants_on(self, device: torch.device) -> Tensor:
        """Packed weights, copied there at the first call."""
        if device not in self._constants:
            with torch.inference_mode(False):
                packed = torch.from_numpy(self.program.constants())
                self._constants[device] = packed.to(device)  # whole when this returns
        return self._constants[device]


def _picture(x: Tensor) -> tuple:
    return (x.data_ptr(), *x.stride(), _ELEMENTS[x.dtype])


LOWER = lower.COMMON | {
    "spab": Builder.spab,
    "esa": Builder.esa,
}


def _refusal(op: Op, args: tuple) -> str | None:
    if op.name == "esa" and (args[1][0] > MAX_ESA_CHANNELS or args[0][1] > MAX_GATED_CHANNELS):
        return f"it takes {MAX_GATED_CHANNELS} channels at most, {MAX_ESA_CHANNELS} of small maps"
    sources = args[0] if op.name == "conv_act" else [args[0]]
    if sum(-(-shape[1] // 8) for shape in sources) > MAX_SLABS:
        return f"a step reads at most {8 * MAX_SLABS} channels"
    return None


def _standalone(op: Op, args: tuple) -> bool:
    return _refusal(op, args) is None


def _gain(parts: Sequence[program.Part], *_) -> float:
    return len(parts)


OP_SET = program.OpSet("cuda", Builder, LOWER, refusal=_refusal, standalone=_standalone, gain=_gain)
