"""``channel_norm``: the channels of each pixel, normalised.

In torch it is a chain of passes over memory, or a transposition, one kernel and another
transposition. As a step of a program it reads rows that are in cache.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..op import Draw
from . import _check
from ._define import define

KINDS = ("layer", "rms", "length")


def reference(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, kind: str
) -> Tensor:
    """The op in plain torch; see :func:`channel_norm`."""
    if kind == "layer":
        y = F.layer_norm(x.movedim(1, -1), x.shape[1:2], weight, bias, eps)
        return y.movedim(-1, 1)
    if kind == "rms":
        y = x * torch.rsqrt(x.square().mean(1, keepdim=True) + eps)
    else:
        y = F.normalize(x, dim=1, eps=eps)
    if weight is not None:
        y = y * weight.view(1, -1, 1, 1)
    return y if bias is None else y + bias.view(1, -1, 1, 1)


def _check_args(x, weight, bias, eps, kind) -> None:
    _check.image("x", x)
    _check.alike(x, "x", weight=weight, bias=bias)
    for name, given in (("weight", weight), ("bias", bias)):
        if given is not None:
            _check.shape(name, given, (x.shape[1],), "a number per channel")
    if not eps >= 0:
        raise ValueError(f"eps is {eps}, expected 0 or more")
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r} of norm; use one of: {', '.join(KINDS)}")


def _detail(x, weight, bias, eps, kind) -> str:
    named = "" if kind == "layer" else f"{kind}, "
    return f"{named}{x[1]} channels, eps {eps:g}"


def _fake(x, weight, bias, eps, kind) -> Tensor:
    return torch.empty_like(x)


def _examples(draw: Draw) -> list[tuple]:
    return [(draw(2, 20, 19, 37), draw(20), draw(20), 1e-6, kind) for kind in KINDS]


CHANNEL_NORM = define(
    "channel_norm(Tensor x, Tensor? weight, Tensor? bias, float eps, str kind) -> Tensor",
    check=_check_args,
    reference=reference,
    fake=_fake,
    flops=lambda *_: 0,  # as torch counts: convolutions and matrix products
    activations=("x",),
    reach=lambda *_: (0, 1),
    detail=_detail,
    examples=_examples,
)


def channel_norm(
    x: Tensor,  # [N, C, H, W]
    weight: Tensor | None = None,  # [C]
    bias: Tensor | None = None,  # [C]
    *,
    eps: float = 1e-6,
    kind: str = "layer",
) -> Tensor:  # [N, C, H, W]
    """``weight * n(x) + bias``, where n normalises the channels of each pixel.

    - ``layer``: ``(x - mean) / sqrt(variance + eps)``, with the variance of the population, the
      mean of the squared deviations. From "Layer Normalization" (https://arxiv.org/abs/1607.06450),
      with a pixel's channels as the layer; in super-resolution from SwinIR
      (https://arxiv.org/abs/2108.10257) on, and in the large-kernel and modulation networks of the
      NTIRE 2024 report (https://arxiv.org/abs/2404.10343).
    - ``rms``: ``x / sqrt(mean(x^2) + eps)``. From "Root Mean Square Layer Normalization"
      (https://arxiv.org/abs/1910.07467).
    - ``length``: ``x / max(sqrt(sum(x^2)), eps)``, torch's ``normalize``. In SMFANet, section 4.6
      of the report.

    Args:
        x: float32, float16, bfloat16 or float64; contiguous, channels_last or strided.
        weight, bias: of the dtype and on the device of ``x``; 1 and 0 without.
        eps: 0 or more.
        kind: one of those above.

    Returns:
        A fresh tensor of the dtype and memory format of ``x``.

    Raises:
        TypeError: an argument is no tensor, or dtypes differ or are not floating.
        ValueError: shapes do not fit, an empty tensor, ``eps`` below 0, an unknown kind, or devices
            differ.
    """
    _check.tensors(x=x)
    _check.optional_tensors(weight=weight, bias=bias)
    return CHANNEL_NORM(x, weight, bias, float(eps), kind)
