"""``depthwise_act``: a depthwise convolution with all that follows it, and a pointwise one before
it if there is one.

With the pointwise convolution it is the blueprint-separable convolution (BSConv) of BSRN and its
kin; without, the depthwise half of every separable layer and of many attentions. Large kernels,
strips of them and dilated ones are what networks with "large kernel attention" are made of.
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
    dilation: int,
    padding_mode: str,
) -> Tensor:
    """The op in plain torch; see :func:`depthwise_act`."""
    if pointwise is not None:
        x = F.conv2d(x, pointwise, pointwise_bias)
    padding = _check.same_padding(weight.shape, dilation)
    if padding_mode == "reflect":
        rows, columns = padding
        x, padding = F.pad(x, (columns, columns, rows, rows), "reflect"), (0, 0)
    y = F.conv2d(x, weight, bias, 1, padding, dilation, weight.shape[0])
    return _epilogue.epilogue(y, act, slope, residual)


def _check_args(
    x, weight, bias, act, slope, residual, pointwise, pointwise_bias, dilation, padding_mode
) -> None:
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
    _check.odd_kernel("weight", weight, dilation)
    expected = (channels, 1, *weight.shape[2:])
    _check.shape("weight", weight, expected, f"a filter per channel that {source}")
    if bias is not None:
        _check.shape("bias", bias, (channels,), "a number per filter")
    _epilogue.check(act, residual, (n, channels, h, w))
    if padding_mode not in ("zeros", "reflect"):
        raise ValueError(f"padding_mode is {padding_mode!r}, expected 'zeros' or 'reflect'")
    rows, columns = _check.same_padding(weight.shape, dilation)
    if padding_mode == "reflect" and (rows >= h or columns >= w):
        raise ValueError(
            f"{rows} rows and {columns} columns of a {h}x{w} picture cannot be reflected at its "
            "edges; use a larger picture, or zeros"
        )


def _flops(x, weight, bias, act, slope, residual, pointwise, *_) -> int:
    n, _, h, w = x
    return 2 * n * h * w * (prod(weight) + (0 if pointwise is None else prod(pointwise)))


def _detail(
    x, weight, bias, act, slope, residual, pointwise, pointwise_bias, dilation, padding_mode
) -> str:
    before = "" if pointwise is None else f"1x1, {pointwise[1]} -> {pointwise[0]}, "
    kernel = _check.kernel_detail(weight, dilation)
    epilogue = _epilogue.detail(act, slope, residual)
    edges = ", reflected at the edges" if padding_mode == "reflect" else ""
    return f"{before}depthwise {kernel}, {weight[0]} channels{edges}{epilogue}"


def _reach(x, weight, *rest) -> tuple[int, int]:
    *_, dilation, _ = rest
    return max(_check.same_padding(weight, dilation)), 1


def _examples(draw: Draw) -> list[tuple]:
    x, u = draw(2, 20, 19, 37), draw(2, 26, 19, 37)
    pointwise = draw(26, 20, 1, 1), draw(26)
    strip = draw(2, 5, 19, 37), draw(5, 1, 1, 7), None, "none", 0.0, None, None, None, 2, "zeros"
    mirror = draw(2, 5, 19, 37), draw(5, 1, 5, 3), draw(5), "none", 0.0, None, None, None, 1
    first = x, draw(26, 1, 3, 3), draw(26), "silu", 0.0, u, *pointwise, 1, "zeros"
    return [first, strip, (*mirror, "reflect")]


DEPTHWISE_ACT = define(
    "depthwise_act(Tensor x, Tensor weight, Tensor? bias, str act, float slope,"
    " Tensor? residual, Tensor? pointwise, Tensor? pointwise_bias, int dilation, str padding_mode)"
    " -> Tensor",
    check=_check_args,
    reference=reference,
    flops=_flops,
    activations=("x", "residual"),
    reach=_reach,
    detail=_detail,
    examples=_examples,
)


def depthwise_act(
    x: Tensor,  # [N, Ci, H, W]
    weight: Tensor,  # [C, 1, kh, kw], kh and kw odd
    bias: Tensor | None = None,  # [C]
    *,
    act: str = "none",
    slope: float = 0.05,
    residual: Tensor | None = None,  # [N, C, H, W]
    pointwise: Tensor | None = None,  # [C, Ci, 1, 1]; without it Ci = C
    pointwise_bias: Tensor | None = None,  # [C]
    dilation: int = 1,
    padding_mode: str = "zeros",
) -> Tensor:  # [N, C, H, W]
    """``act(depthwise(pointwise(x)) + bias) + residual``, padded to keep H and W.

    With ``p[c, y, x] = sum_i pointwise[c, i] * x[i, y, x] + pointwise_bias[c]`` inside the picture
    and 0 outside of it (or ``p[c, -y, -x] = p[c, y, x]``, and likewise at the other edges, with
    ``padding_mode="reflect"``), or ``p = x`` where there is no ``pointwise``, the activation is
    applied to

    ``sum_ij weight[c, 0, i, j] * p[c, y + d (i - kh // 2), x + d (j - kw // 2)] + bias[c]``

    with ``d = dilation``.

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
        dilation: the distance of neighbouring taps, in rows and columns, 1 or more.
        padding_mode: ``zeros`` or ``reflect``, as for ``torch.nn.Conv2d``.

    Returns:
        A fresh tensor of the dtype and memory format of ``x``.

    Raises:
        TypeError: an argument is no tensor, or dtypes differ or are not floating.
        ValueError: shapes do not fit, an empty tensor, an unknown ``act``, devices differ,
            ``pointwise_bias`` without ``pointwise``, an even kernel, a dilation below 1, an
            unknown ``padding_mode``, or a picture that is too small to be reflected.
    """
    _check.tensors(x=x, weight=weight)
    _check.optional_tensors(
        bias=bias, residual=residual, pointwise=pointwise, pointwise_bias=pointwise_bias
    )
    _epilogue.check_types(act, slope)
    _check.integers(dilation=dilation)
    args = x, weight, bias, act, slope, residual, pointwise, pointwise_bias, dilation
    return DEPTHWISE_ACT(*args, padding_mode)
