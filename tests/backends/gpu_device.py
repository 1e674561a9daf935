"""The device of the GPU backends' tests: a GPU; or, for Triton's, its interpreter when
``TRITON_INTERPRET=1``."""

from __future__ import annotations

import os

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from esr_kernels.backends import choice, gpu
from esr_kernels.ops import OPS

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cpu" if INTERPRETED else "cuda"
BACKENDS = ("triton",) if INTERPRETED else ("cuda", "triton")

_usable = INTERPRETED or torch.cuda.is_available()
#: For ``pytestmark``.
NEEDS_DEVICE = [
    pytest.mark.gpu,
    pytest.mark.skipif(not _usable, reason="no GPU that torch can use"),
]
NEEDS_GPU = pytest.mark.skipif(INTERPRETED, reason="the interpreter has no such thing")


def on_device(args: object) -> object:
    """The same arguments where the kernels run."""
    return tree_map(lambda leaf: leaf.to(DEVICE) if isinstance(leaf, Tensor) else leaf, args)


def only_backend(name: str, monkeypatch) -> None:
    """Every op goes to this backend, or the test skips; for Triton float32 means float32."""
    monkeypatch.setenv("ESR_KERNELS_BACKEND", name)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", name == "cuda")
    for backend in choice.allowed().values():
        if reason := backend.graph_refusal(OPS, torch.device(DEVICE), torch.float32):
            pytest.skip(reason)


def skip_unless_taken(name: str) -> None:
    """Skips the test, with the reason, where the backend does not compute the op."""
    (op,) = (op for op in OPS if op.name == name)
    for backend in choice.allowed().values():
        if reason := backend.refusal(op, torch.device(DEVICE), torch.float32):
            pytest.skip(reason)


def rounding(dtype: torch.dtype) -> torch.dtype:
    """The dtype in which plain torch has as many digits as the backend: float16 for TF32."""
    return gpu.rounding(dtype)
