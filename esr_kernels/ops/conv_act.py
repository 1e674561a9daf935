"""``conv_act``: a 3x3 (or 1x1) convolution with all that follows it.

The hot path of every network here: convolution, activation, residual or SPAB's gate, and a store
into a channel slice of a wider tensor, so that neither the concatenation before it nor the one
after it is ever copied.
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
) -> Tensor:
    """The op in plain torch; see :func:`conv_act`."""
    x = inputs[0] if len(inputs) == 1 else torch.cat(list(inputs), 1)
    y = F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)
    return _epilogue.epilogue(y, act, slope, residual)


def _check_args(inputs, weight, bias, act, slope, residual) -> None:
    channels = _check.images("x", inputs)
    first = inputs[0]
    _check.alike(first, "x", weight=weight, bias=bias, residual=residual)
    n, _, h, w = first.shape
    _check.conv("weight", weight, "bias", bias, channels, (1, 3))
    _epilogue.check(act, residual, (n, weight.shape[0], h, w))


def _check_out(inputs, weight, bias, act, slope, residual, *, out) -> None:
    n, _, h, w = inputs[0].shape
    _check.alike(inputs[0], "x", out=out)
    _check.shape("out", out, (n, weight.shape[0], h, w), "the shape of the result")


def _flops(inputs, weight, *_) -> int:
    n, _, h, w = inputs[0]
    return 2 * n * h * w * prod(weight)


def _detail(inputs, weight, bias, act, slope, residual) -> str:
    out, into, kernel, _ = weight
    joined = f", {len(inputs)} inputs" if len(inputs) > 1 else ""
    epilogue = _epilogue.detail(act, slope, residual)
    return f"{kernel}x{kernel}, {into} -> {out}{joined}{epilogue}"


def _reach(inputs, weight, *_) -> tuple[int, int]:
    return weight[-1] // 2, 1


def _examples(draw: Draw) -> list[tuple]:
    # A concatenation, a picture that becomes many channels, and a 1x1 convolution: kernels differ
    # in what they read, and in how many channels they make at a time.
    x, picture, u = draw(2, 20, 19, 37), draw(2, 3, 19, 37), draw(2, 20, 19, 37)
    return [
        ([x, picture], draw(26, 23, 3, 3), draw(26), "silu", 0.0, None),
        ([picture], draw(112, 3, 3, 3), draw(112), "lrelu", 0.1, None),
        ([x, picture], draw(20, 23, 1, 1), draw(20), "none", 0.0, u),
    ]


CONV_ACT = define(
    "conv_act(Tensor[] inputs, Tensor weight, Tensor? bias, str act, float slope,"
    " Tensor? residual) -> Tensor",
    check=_check_args,
    check_out=_check_out,
    reference=reference,
    flops=_flops,
    activations=("inputs", "residual"),
    reach=_reach,
    detail=_detail,
    examples=_examples,
)


def conv_act(
    x: Tensor | Sequence[Tensor],  # [N, Ci, H, W], or several whose channels add up to Ci
    weight: Tensor,  # [Co, Ci, k, k], k = 1 or 3
    bias: Tensor | None = None,  # [Co]
    *,
    act: str = "none",
    slope: float = 0.05,
    residual: Tensor | None = None,  # [N, Co, H, W]
    out: Tensor | None = None,  # [N, Co, H, W]
) -> Tensor:  # [N, Co, H, W]
    """``act(conv(cat(x, 1))) + residual``: zero padding ``(k - 1) / 2``, stride 1.

    With ``y = conv(cat(x, 1)) + bias`` the activations are

    ========== ==============================================================
    none       ``y``
    relu       ``max(y, 0)``
    lrelu      ``y`` for ``y >= 0``, else ``slope * y``
    silu       ``y * sigmoid(y)``
    gelu       ``y * Phi(y)``, the exact form (with erf)
    span_gate  ``(y + residual) * (sigmoid(y) - 1/2)``; ``residual`` is needed
    ========== ==============================================================

    ``span_gate`` is the attention of SPAN, without parameters (https://arxiv.org/abs/2311.12770);
    ``lrelu`` with slope 0.05 is what the residual block of RLFN uses (arXiv 2205.07514).

    Args:
        x: float32, float16, bfloat16 or float64; contiguous, channels_last or strided. A list is
            read as its concatenation along the channels, which is never made.
        weight, bias: of the dtype and on the device of ``x``.
        slope: of ``lrelu``.
        residual: added after the activation. Exactly of the result's shape.
        out: where to write the result, for example a channel slice of a wider tensor. It may not
            share memory with another argument, and nothing may need a gradient.

    Returns:
        A fresh tensor of the dtype and memory format of ``x`` (of the first in a list), or ``out``.

    Raises:
        TypeError: an argument is no tensor, or dtypes differ or are not floating.
        ValueError: shapes do not fit, an empty tensor, an unknown ``act``, devices differ, ``out``
            overlaps an input or takes part in a gradient.
    """
    inputs = _check.one_or_several("x", x)
    _check.tensors(weight=weight)
    _check.optional_tensors(bias=bias, residual=residual, out=out)
    _epilogue.check_types(act, slope)
    if out is None:
        return CONV_ACT(inputs, weight, bias, act, slope, residual)
    if torch.is_grad_enabled() and any(
        t.requires_grad for t in (*inputs, weight, bias, residual, out) if t is not None
    ):
        raise ValueError(
            "out= has no gradient, but one of the tensors requires one; "
            "leave out= away, or run under torch.no_grad()"
        )
    args = inputs, weight, bias, act, slope, residual
    if torch.compiler.is_compiling():  # torch's compiler traces no strided out=
        _check_out(*args, out=out)
        return out.copy_(CONV_ACT(*args))
    CONV_ACT.out(*args, out=out)
    return out
