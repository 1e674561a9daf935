"""``spab`` as three launches of the convolution; the attention is the last one's epilogue."""

from __future__ import annotations

from torch import Tensor

from ..convolution import convolution


def spab(x, w1, b1, w2, b2, w3, b3) -> tuple[Tensor, Tensor]:
    t = convolution([x], w1, b1, "silu", 0.0, None)
    v = convolution([t], w2, b2, "silu", 0.0, None)
    return convolution([v], w3, b3, "span_gate", 0.0, x), t
