"""``direct_conv_act``: a convolution of any odd size, dilation and number of groups, with all that
follows it.

Convolutions of 3x3 and 1x1 without these have an op of their own, with faster kernels.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from ..op import Draw
from . import _check, _epilogue
from ._define import define


def reference(
    inputs: Sequence[Tensor],
    weight: Tensor,
    bias: Tensor | None,
    act: str,
    slope: float,
    residual: Tensor | None,
    dilation: int,
    groups: int,
) -> Tensor:
    """The op in plain torch; see :func:`direct_conv_act`."""
    x = inputs[0] if len(inputs) == 1 else torch.cat(list(inputs), 1)
    padding = _check.same_padding(weight.shape, dilation)
    y = F.conv2d(x, weight, bias, 1, padding, dilation, groups)
    return _epilogue.epilogue(y, act, slope, residual)


def _check_args(inputs, weight, bias, act, slope, residual, dilation, groups) -> None:
    channels = _check.images("x", inputs)
    first = inputs[0]
    _check.alike(first, "x", weight=weight, bias=bias, residual=residual)
    _check.odd_kernel("weight", weight, dilation)
    out = weight.shape[0]
    if groups < 1 or channels % groups or out % groups or out == 0:
        raise ValueError(
            f"{channels} channels cannot become {out} in {groups} groups; both must divide by them"
        )
    expected = (out, channels // groups, *weight.shape[2:])
    _check.shape("weight", weight, expected, f"the channels of x in {groups} groups")
    if bias is not None:
        _check.shape("bias", bias, (out,), "a number per filter")
    n, _, h, w = first.shape
    _epilogue.check(act, residual, (n, out, h, w))


def _flops(inputs, weight, *_) -> int:
    n, _, h, w = inputs[0]
    return 2 * n * h * w * prod(weight)


def _detail(inputs, weight, bias, act, slope, residual, dilation, groups) -> str:
    joined = f", {len(inputs)} inputs" if len(inputs) > 1 else ""
    apart = f", {groups} groups" if groups > 1 else ""
    kernel = _check.kernel_detail(weight, dilation)
    epilogue = _epilogue.detail(act, slope, residual)
    return f"{kernel}, {weight[1] * groups} -> {weight[0]}{apart}{joined}{epilogue}"


def _reach(inputs, weight, bias, act, slope, residual, dilation, groups) -> tuple[int, int]:
    return max(_check.same_padding(weight, dilation)), 1


def _examples(draw: Draw) -> list[tuple]:
    x, picture, u = draw(2, 20, 19, 37), draw(2, 4, 19, 37), draw(2, 26, 19, 37)
    return [
        ([x, picture], draw(26, 24, 5, 5), draw(26), "silu", 0.0, u, 1, 1),
        ([x], draw(6, 10, 3, 1), None, "none", 0.0, None, 7, 2),
    ]


DIRECT_CONV_ACT = define(
    "direct_conv_act(Tensor[] inputs, Tensor weight, Tensor? bias, str act, float slope,"
    " Tensor? residual, int dilation, int groups) -> Tensor",
    check=_check_args,
    reference=reference,
    flops=_flops,
    activations=("inputs", "residual"),
    reach=_reach,
    detail=_detail,
    examples=_examples,
)


def direct_conv_act(
    x: Tensor | Sequence[Tensor],  # [N, Ci, H, W], or several whose channels add up to Ci
    weight: Tensor,  # [Co, Ci / groups, kh, kw], kh and kw odd
    bias: Tensor | None = None,  # [Co]
    *,
    act: str = "none",
    slope: float = 0.05,
    residual: Tensor | None = None,  # [N, Co, H, W]
    dilation: int = 1,
    groups: int = 1,
) -> Tensor:  # [N, Co, H, W]
    """``act(conv(cat(x, 1))) + residual``: stride 1, padded by zeros to keep H and W.

    With ``d = dilation`` and ``c`` over the input channels of the group of ``o``, the activation
    (none, relu, lrelu, silu, gelu or span_gate, as for every convolution here) is applied to

    ``sum_cij weight[o, c, i, j] * x[c, y + d (i - kh // 2), x + d (j - kw // 2)] + bias[o]``.

    Args:
        x: float32, float16, bfloat16 or float64; contiguous, channels_last or strided. A list is
            read as its concatenation along the channels, which is never made.
        weight, bias: of the dtype and on the device of ``x``.
        slope: of ``lrelu``.
        residual: added after the activation. Exactly of the result's shape.
        dilation: the distance of neighbouring taps, in rows and columns, 1 or more.
        groups: of channels: each makes its share of the result from its share of ``x``.

    Returns:
        A fresh tensor of the dtype and memory format of ``x`` (of the first in a list).

    Raises:
        TypeError: an argument is no tensor, or dtypes differ or are not floating.
        ValueError: shapes do not fit, an empty tensor, an unknown ``act``, devices differ, an even
            kernel, a dilation below 1, channels that do not divide by the groups.
    """
    inputs = _check.one_or_several("x", x)
    _check.tensors(weight=weight)
    _check.optional_tensors(bias=bias, residual=residual)
    _epilogue.check_types(act, slope)
    _check.integers(dilation=dilation, groups=groups)
    return DIRECT_CONV_ACT(inputs, weight, bias, act, slope, residual, dilation, groups)
