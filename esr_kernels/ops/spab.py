"""``spab``: the whole block of SPAN, three 3x3 convolutions and the attention without parameters.

One op and not three, so that a backend may keep the two hidden maps in its cache.
"""

from __future__ import annotations

from math import prod

import torch.nn.functional as F
from torch import Tensor

from ..op import Draw
from . import _check
from ._define import define


def reference(
    x: Tensor,
    w1: Tensor,
    b1: Tensor | None,
    w2: Tensor,
    b2: Tensor | None,
    w3: Tensor,
    b3: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """The op in plain torch; see :func:`spab`."""
    t = F.silu(F.conv2d(x, w1, b1, padding=1))
    v = F.silu(F.conv2d(t, w2, b2, padding=1))
    y = F.conv2d(v, w3, b3, padding=1)
    return (y + x) * (y.sigmoid() - 0.5), t


def _check_args(x, w1, b1, w2, b2, w3, b3) -> None:
    _check.image("x", x)
    _check.alike(x, "x", w1=w1, b1=b1, w2=w2, b2=b2, w3=w3, b3=b3)
    channels = x.shape[1]
    _check.conv("w1", w1, "b1", b1, channels, (3,))
    _check.conv("w2", w2, "b2", b2, w1.shape[0], (3,))
    _check.conv("w3", w3, "b3", b3, w2.shape[0], (3,), makes=channels)


def _flops(x, w1, b1, w2, b2, w3, *_) -> int:
    n, _, h, w = x
    return 2 * n * h * w * (prod(w1) + prod(w2) + prod(w3))


def _detail(x, w1, *_) -> str:
    return f"three 3x3, {w1[1]} -> {w1[0]}, silu, attention"


def _examples(draw: Draw) -> list[tuple]:
    x = draw(2, 20, 19, 37)
    return [(x, *(part for _ in range(3) for part in (draw(20, 20, 3, 3), draw(20))))]


SPAB = define(
    "spab(Tensor x, Tensor w1, Tensor? b1, Tensor w2, Tensor? b2, Tensor w3, Tensor? b3)"
    " -> (Tensor, Tensor)",
    check=_check_args,
    reference=reference,
    flops=_flops,
    activations=("x",),
    reach=lambda *_: (3, 1),
    detail=_detail,
    examples=_examples,
)


def spab(
    x: Tensor,  # [N, C, H, W]
    w1: Tensor,  # [M1, C, 3, 3]
    b1: Tensor | None,  # [M1]
    w2: Tensor,  # [M2, M1, 3, 3]
    b2: Tensor | None,  # [M2]
    w3: Tensor,  # [C, M2, 3, 3]
    b3: Tensor | None,  # [C]
) -> tuple[Tensor, Tensor]:  # [N, C, H, W], [N, M1, H, W]
    """SPAB: ``((y + x) * (sigmoid(y) - 1/2), t)`` with ``y = conv3(silu(conv2(t)))``.

    ``t = silu(conv1(x))`` is returned too, **activated**: SPAN concatenates that of its last block.
    Every convolution is 3x3 with zero padding 1. From "Swift Parameter-free Attention Network"
    (https://arxiv.org/abs/2311.12770), team XiaomiMM in the NTIRE 2024 report on efficient
    super-resolution (arXiv 2404.10343).

    Args:
        x: float32, float16, bfloat16 or float64; contiguous, channels_last or strided.
        w1, b1, w2, b2, w3, b3: of the dtype and on the device of ``x``.

    Returns:
        Two fresh tensors of the dtype and memory format of ``x``.

    Raises:
        TypeError: an argument is no tensor, or dtypes differ or are not floating.
        ValueError: shapes do not fit, an empty tensor, or devices differ.
    """
    _check.tensors(x=x, w1=w1, w2=w2, w3=w3)
    _check.optional_tensors(b1=b1, b2=b2, b3=b3)
    return SPAB(x, w1, b1, w2, b2, w3, b3)
