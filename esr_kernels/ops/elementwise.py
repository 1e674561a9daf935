"""``elementwise``: a chain of elementwise functions, evaluated in one pass.

Activations that no convolution takes in, gates, scaled sums: each alone is a pass over memory in
torch. Written as one formula they are one step, whose pieces never leave the cache.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ..formula import counts, evaluate, parse
from ..op import Draw
from . import _check
from ._define import define


def reference(inputs: Sequence[Tensor], formula: str, constants: Sequence[Tensor]) -> Tensor:
    """The op in plain torch; see :func:`elementwise`."""
    return evaluate(formula, inputs, constants)


def _check_args(inputs, formula, constants) -> None:
    if not inputs:
        raise ValueError("the list of inputs is empty; give one tensor or more")
    _check.image("x", inputs[0])
    for i, x in enumerate(inputs[1:], 1):
        _check.image(f"x[{i}]", x)
        _check.alike(inputs[0], "x", **{f"x[{i}]": x})
    shape = _shape([x.shape for x in inputs])
    wanted = counts(formula)
    for name, found, least in zip(
        ("inputs", "constants"), (len(inputs), len(constants)), wanted, strict=True
    ):
        if found < least:
            raise ValueError(f"the formula reads {least} {name}, but {found} are given")
    for i, c in enumerate(constants):
        _check.tensors(**{f"constants[{i}]": c})
        _check.alike(inputs[0], "x", **{f"constants[{i}]": c})
        _check.shape(f"constants[{i}]", c, (shape[1],), "a number per channel")


def _shape(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the result's shape. Raises ValueError where an input has neither it nor 1 there."""
    whole = tuple(map(max, zip(*shapes, strict=True)))
    for i, (n, c, *size) in enumerate(shapes):
        fits = n in (1, whole[0]) and c in (1, whole[1]) and tuple(size) in ((1, 1), whole[2:])
        if not fits:
            raise ValueError(
                f"x[{i}] has shape {[n, c, *size]}, expected {list(whole)}, with 1 for the "
                "batch, the channels, or both height and width, where all of them have the same"
            )
    return whole


def _flops(inputs, formula, constants) -> int:
    return 0  # as torch counts: convolutions and matrix products


def _detail(inputs, formula, constants) -> str:
    return ", ".join(term.word for term in parse(formula))


def _examples(draw: Draw) -> list[tuple]:
    x, u, vector = draw(2, 20, 19, 37), draw(2, 20, 19, 37), draw(2, 20, 1, 1)
    formula = "prelu(x0, c0); sigmoid(x1); mul(t0, t1); add(t2, x2); clamp(t3, -0.5, 0.25)"
    return [([x, u, vector], formula, [draw(20)])]


ELEMENTWISE = define(
    "elementwise(Tensor[] inputs, str formula, Tensor[] constants) -> Tensor",
    check=_check_args,
    reference=reference,
    flops=_flops,
    activations=("inputs",),
    reach=lambda *_: (0, 1),
    detail=_detail,
    examples=_examples,
)


def elementwise(
    x: Tensor | Sequence[Tensor],  # [N, C, H, W], or several; 1 for C or for H and W
    formula: str,
    constants: Sequence[Tensor] = (),  # each [C]
) -> Tensor:  # [N, C, H, W]
    """``formula(x[0], x[1], ..., constants)``: elementwise functions one after the other.

    The formula is text: terms ``function(operand, ...)`` with semicolons between them. An operand
    is an input ``x0``, a constant ``c0``, the result ``t0`` of an earlier term, or a number. So
    ``"sigmoid(x1); mul(x0, t0)"`` is ``x[0] * sigmoid(x[1])``. The functions are

    =====================  ====================================================================
    add sub mul div        arithmetic
    min max                the smaller and the larger of two
    clamp addcmul          ``clamp(x, least, most)``, ``x + y * z``
    prelu elu              ``x`` for ``x >= 0``, else ``s * x``, ``s * (exp(x) - 1)``
    abs neg square         ``|x|``, ``-x``, ``x * x``
    sqrt rsqrt exp log     the root, one over it, and the natural ones
    sigmoid tanh softplus  ``1 / (1 + exp(-x))``, ``tanh(x)``, ``log(1 + exp(x))``
    relu silu mish         ``max(x, 0)``, ``x * sigmoid(x)``, ``x * tanh(softplus(x))``
    gelu gelu_tanh         ``x * Phi(x)``, exact, and torch's approximation of it with tanh
    hardsigmoid hardswish  ``clamp(x + 3, 0, 6) / 6``, and that times ``x``
    =====================  ====================================================================

    A NaN is kept by all of them. The functions are torch's of the same names.

    Args:
        x: float32, float16, bfloat16 or float64; contiguous, channels_last or strided. One input
            may have one channel, which is then read for all, or be one pixel.
        formula: see above.
        constants: of the dtype and on the device of ``x``; a number per channel.

    Returns:
        A fresh tensor of the dtype and memory format of ``x`` (of the first in a list).

    Raises:
        TypeError: an argument is no tensor, or dtypes differ or are not floating.
        ValueError: shapes do not fit, an empty tensor, devices differ, or the formula has an
            unknown function, operand or number of operands.
    """
    inputs = _check.one_or_several("x", x)
    if not isinstance(formula, str):
        raise TypeError(f"formula must be a string, not {type(formula).__name__}")
    return ELEMENTWISE(inputs, formula, constants)
