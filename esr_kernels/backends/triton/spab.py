"""``spab`` as three launches of the convolution; the attention is the last one's epilogue."""

from __future__ import annotations

from torch import Tensor

from .conv_act import conv_act


def spab(x, w1, b1, w2, b2, w3, b3) -> tuple[Tensor, Tensor]:
    t = conv_act([x], w1, b1, "silu", 0.0, None)
    v = conv_act([t], w2, b2, "silu", 0.0, None)
    return conv_act([v], w3, b3, "spab", 0.0, x), t
