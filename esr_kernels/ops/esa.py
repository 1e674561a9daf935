"""``esa``: enhanced spatial attention, from its first 1x1 convolution to the multiply.

Most of its time is overhead: ten small steps of which eight touch a few channels or a small map.
"""

from __future__ import annotations

from math import prod

import torch.nn.functional as F
from torch import Tensor

from ..op import Draw
from . import _check
from ._define import define

#: Least height and width: a smaller map would leave the 7x7 pooling fewer than 7 rows.
MINIMUM_PX = 15


def reference(
    x: Tensor,
    w1: Tensor,
    b1: Tensor | None,
    w_f: Tensor,
    b_f: Tensor | None,
    w2: Tensor,
    b2: Tensor | None,
    w3: Tensor,
    b3: Tensor | None,
    w4: Tensor,
    b4: Tensor | None,
) -> Tensor:
    """The op in plain torch; see :func:`esa`."""
    a = F.conv2d(x, w1, b1)
    small = F.max_pool2d(F.conv2d(a, w2, b2, stride=2), kernel_size=7, stride=3)
    small = F.conv2d(small, w3, b3, padding=1)
    # The unpadded steps before covered less than the picture, yet their map is stretched over all
    # of it: that is how the networks were trained.
    e = F.interpolate(small, size=x.shape[2:], mode="bilinear", align_corners=False)
    gate = F.conv2d(e + F.conv2d(a, w_f, b_f), w4, b4)
    return x * gate.sigmoid()


def _check_args(x, w1, b1, w_f, b_f, w2, b2, w3, b3, w4, b4) -> None:
    _check.image("x", x)
    _check.alike(x, "x", w1=w1, b1=b1, w_f=w_f, b_f=b_f, w2=w2, b2=b2, w3=w3, b3=b3, w4=w4, b4=b4)
    channels = x.shape[1]
    _check.room(x, MINIMUM_PX, "ESA needs")
    f = w1.shape[0]
    _check.conv("w1", w1, "b1", b1, channels, (1,))
    _check.conv("w_f", w_f, "b_f", b_f, f, (1,), makes=f)
    _check.conv("w2", w2, "b2", b2, f, (3,), makes=f)
    _check.conv("w3", w3, "b3", b3, f, (3,), makes=f)
    _check.conv("w4", w4, "b4", b4, f, (1,), makes=channels)


def _flops(x, w1, b1, w_f, b_f, w2, b2, w3, b3, w4, *_) -> int:
    n, _, h, w = x
    h2, w2_ = ((size - 3) // 2 + 1 for size in (h, w))
    h3, w3_ = ((size - 7) // 3 + 1 for size in (h2, w2_))
    full = h * w * (prod(w1) + prod(w_f) + prod(w4))
    return 2 * n * (full + h2 * w2_ * prod(w2) + h3 * w3_ * prod(w3))


def _detail(x, *weights) -> str:
    return f"{weights[-2][0]} channels, conv1 to the product"


def _examples(draw: Draw) -> list[tuple]:
    x, sizes = draw(2, 20, 19, 37), ((8, 20, 1), (8, 8, 1), (8, 8, 3), (8, 8, 3), (20, 8, 1))
    return [(x, *(part for o, i, k in sizes for part in (draw(o, i, k, k), draw(o))))]


ESA = define(
    "esa(Tensor x, Tensor w1, Tensor? b1, Tensor w_f, Tensor? b_f, Tensor w2, Tensor? b2,"
    " Tensor w3, Tensor? b3, Tensor w4, Tensor? b4) -> Tensor",
    check=_check_args,
    reference=reference,
    flops=_flops,
    activations=("x",),
    reach=lambda *_: None,  # pooled maps see pixels far away
    detail=_detail,
    examples=_examples,
)


def esa(
    x: Tensor,  # [N, C, H, W], H and W >= 15
    w1: Tensor,  # [f, C, 1, 1]
    b1: Tensor | None,  # [f]
    w_f: Tensor,  # [f, f, 1, 1]
    b_f: Tensor | None,  # [f]
    w2: Tensor,  # [f, f, 3, 3]
    b2: Tensor | None,  # [f]
    w3: Tensor,  # [f, f, 3, 3]
    b3: Tensor | None,  # [f]
    w4: Tensor,  # [C, f, 1, 1]
    b4: Tensor | None,  # [C]
) -> Tensor:  # [N, C, H, W]
    """ESA: ``x * sigmoid(conv4(up(conv3(maxpool(conv2(a)))) + conv_f(a)))``, ``a = conv1(x)``.

    conv1, conv_f and conv4 are 1x1; conv2 is 3x3 with stride 2 and **no** padding; maxpool is 7x7
    with stride 3, no padding, sizes rounded down; conv3 is 3x3 with zero padding 1; up is bilinear
    to the size of ``x`` with align_corners=False. ``f`` is 16 in the networks. From "Residual
    Feature Aggregation Network" (CVPR 2020), in the form that RLFN uses (arXiv 2205.07514), the
    baseline in the NTIRE 2024 report on efficient super-resolution (arXiv 2404.10343).

    Every pixel of the result depends on the whole neighbourhood of the pooled map, so cutting a
    picture into tiles changes it.

    Args:
        x: float32, float16, bfloat16 or float64; contiguous, channels_last or strided.
        w1, b1, w_f, b_f, w2, b2, w3, b3, w4, b4: of the dtype and on the device of ``x``.

    Returns:
        A fresh tensor of the dtype and memory format of ``x``.

    Raises:
        TypeError: an argument is no tensor, or dtypes differ or are not floating.
        ValueError: ``x`` is smaller than 15x15, shapes do not fit, or devices differ.
    """
    _check.tensors(x=x, w1=w1, w_f=w_f, w2=w2, w3=w3, w4=w4)
    _check.optional_tensors(b1=b1, b_f=b_f, b2=b2, b3=b3, b4=b4)
    return ESA(x, w1, b1, w_f, b_f, w2, b2, w3, b3, w4, b4)
