"""Where the Triton tests run: on a GPU, or in Triton's interpreter when ``TRITON_INTERPRET=1``."""

from __future__ import annotations

import os

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from esr_kernels.backends import triton

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cpu" if INTERPRETED else "cuda"

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


def triton_only(monkeypatch) -> None:
    """Every op goes to Triton, or the test skips; float32 means float32."""
    monkeypatch.setenv("ESR_KERNELS_BACKEND", "triton")
    if reason := triton.refusal("graph", torch.device(DEVICE), torch.float32):
        pytest.skip(reason)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
