"""``depthwise3x3_act``: a depthwise 3x3 convolution with all that follows it, and a pointwise one
before it if there is one.

With the pointwise convolution it is the blueprint-separable convolution (BSConv) of BSRN and its
kin; without, the depthwise half of every separable layer and of many attentions.
"""

from __future__ import annotations

from math import prod

import torch.nn.functional as F
from torch import Tensor

from ..op import Draw
from . import _check, _epilogue
from ._define import define


def reference(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    act: str,
    slope: float,
    residual: Tensor | None,
    pointwise: Tensor | None,
    pointwise_bias: Tensor | None,
) -> Tensor:
    """The op in plain torch; see :func:`depthwise3x3_act`."""
    if pointwise is not None:
        x = F.conv2d(x, pointwise, pointwise_bias)
    y = F.conv2d(x, weight, bias, padding=1, groups=weight.shape[0])
    return _epilogue.epilogue(y, act, slope, residual)


def _check_args(x, weight, bias, act, slope, residual, pointwise, pointwise_bias) -> None:
    _check.image("x", x)
    _check.alike(
        x,
        "x",
        weight=weight,
        bias=bias,
        residual=residual,
        pointwise=pointwise,
        pointwise_bias=pointwise_bias,
    )
    n, channels, h, w = x.shape
    if pointwise is not None:
        _check.conv("pointwise", pointwise, "pointwise_bias", pointwise_bias, channels, (1,))
        channels = pointwise.shape[0]
    elif pointwise_bias is not None:
        raise ValueError("pointwise_bias needs pointwise, the weight that it belongs to")
    source = "x has" if pointwise is None else "pointwise makes"
    _check.shape("weight", weight, (channels, 1, 3, 3), f"a filter per channel that {source}")
    if bias is not None:
        _check.shape("bias", bias, (channels,), "a number per filter")
    _epilogue.check(act, residual, (n, channels, h, w))


def _flops(x, weight, bias, act, slope, residual, pointwise, pointwise_bias) -> int:
    n, _, h, w = x
    return 2 * n * h * w * (prod(weight) + (0 if pointwise is None else prod(pointwise)))


def _detail(x, weight, bias, act, slope, residual, pointwise, pointwise_bias) -> str:
    before = "" if pointwise is None else f"1x1, {pointwise[1]} -> {pointwise[0]}, "
    return f"{before}depthwise 3x3, {weight[0]} channels{_epilogue.detail(act, slope, residual)}"


def _examples(draw: Draw) -> list[tuple]:
    x, u = draw(2, 20, 19, 37), draw(2, 26, 19, 37)
    pointwise = draw(26, 20, 1, 1), draw(26)
    return [(x, draw(26, 1, 3, 3), draw(26), "silu", 0.0, u, *pointwise)]


DEPTHWISE3X3_ACT = define(
    "depthwise3x3_act(Tensor x, Tensor weight, Tensor? bias, str act, float slope,"
    " Tensor? residual, Tensor? pointwise, Tensor? pointwise_bias) -> Tensor",
    check=_check_args,
    reference=reference,
    flops=_flops,
    activations=("x", "residual"),
    reach=lambda *_: (1, 1),
    detail=_detail,
    examples=_examples,
)


def depthwise3x3_act(
    x: Tensor,  # [N, Ci, H, W]
    weight: Tensor,  # [C, 1, 3, 3]
    bias: Tensor | None = None,  # [C]
    *,
    act: str = "none",
    slope: float = 0.05,
    residual: Tensor | None = None,  # [N, C, H, W]
    pointwise: Tensor | None = None,  # [C, Ci, 1, 1]; without it Ci = C
    pointwise_bias: Tensor | None = None,  # [C]
) -> Tensor:  # [N, C, H, W]
    """``act(depthwise(pointwise(x)) + bias) + residual``: zero padding 1, stride 1.

    With ``p[c, y, x] = sum_i pointwise[c, i] * x[i, y, x] + pointwise_bias[c]`` inside the picture
    and 0 outside of it, or ``p = x`` where there is no ``pointwise``, the activation is applied to

    ``sum_ij weight[c, 0, i, j] * p[c, y + i - 1, x + j - 1] + bias[c]``.

    The padding is that of ``p``, so ``pointwise_bias`` is not in it. ``act`` is none, relu, lrelu,
    silu, gelu or span_gate, as for every convolution here.

    With ``pointwise`` and without its bias this is the unconstrained blueprint-separable
    convolution, BSConv-U (Haase and Amthor, https://arxiv.org/abs/2003.13549), which
    BSRN brought to super-resolution (https://arxiv.org/abs/2205.05996).

    Args:
        x: float32, float16, bfloat16 or float64; contiguous, channels_last or strided.
        weight, bias, pointwise, pointwise_bias: of the dtype and on the device of ``x``.
        slope: of ``lrelu``.
        residual: added after the activation. Exactly of the result's shape.

    Returns:
        A fresh tensor of the dtype and memory format of ``x``.

    Raises:
        TypeError: an argument is no tensor, or dtypes differ or are not floating.
        ValueError: shapes do not fit, an empty tensor, an unknown ``act``, devices differ,
            ``pointwise_bias`` without ``pointwise``.
    """
    _check.tensors(x=x, weight=weight)
    _check.optional_tensors(
        bias=bias, residual=residual, pointwise=pointwise, pointwise_bias=pointwise_bias
    )
    _epilogue.check_types(act, slope)
    return DEPTHWISE3X3_ACT(x, weight, bias, act, slope, residual, pointwise, pointwise_bias)
