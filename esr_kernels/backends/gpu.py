"""Questions of the backends for NVIDIA GPUs before they compute."""

from __future__ import annotations

from functools import cache

import torch

_LEAST_CAPABILITY = (8, 0)


@cache
def unfit(device: torch.device) -> str | None:
    """Why this GPU runs none of our kernels."""
    if not torch.cuda.is_available():
        return "no GPU that torch can use"
    major, minor = torch.cuda.get_device_capability(device)
    if (major, minor) >= _LEAST_CAPABILITY:
        return None
    return f"the GPU has compute capability {major}.{minor}, and 8.0 is the least"


def allows_tf32() -> bool:
    """Return true if the user lets torch's own convolutions round float32 to TF32."""
    conv = getattr(torch.backends.cudnn, "conv", None)  # from torch 2.9 on, where the older flag
    if conv is None:  # raises once this one was set
        return torch.backends.cudnn.allow_tf32
    return conv.fp32_precision == "tf32"


def allows_float16_sums() -> bool:
    """Return true if the user lets torch's own products of float16 have sums in float16."""
    # A flag of torch 2.7 and newer.
    return getattr(torch.backends.cuda.matmul, "allow_fp16_accumulation", False)


def numbers(dtype: torch.dtype) -> str:
    """Return the kind of numbers that kernels multiply for a dtype: its name, or ``tf32``."""
    tf32 = dtype == torch.float32 and allows_tf32()
    return "tf32" if tf32 else str(dtype).removeprefix("torch.")


def rounding(dtype: torch.dtype) -> torch.dtype:
    """The dtype that has as many digits as products of ``dtype``: float16 for TF32."""
    return torch.float16 if dtype == torch.float32 and allows_tf32() else dtype
