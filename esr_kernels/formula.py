"""Formulas: chains of elementwise functions, written as text.

``"sigmoid(x1); mul(x0, t0); prelu(t1, c0)"`` has three terms. An operand is an input ``x0``, a
constant with a number per channel ``c0``, the result ``t0`` of an earlier term, or a number; the
last term gives the result. :data:`WORDS` are the functions. ``elementwise`` is the op of a formula.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Operand(NamedTuple):
    """``kind``: ``x`` an input, ``c`` a constant, ``t`` an earlier term, each with its number in
    ``number``; or ``n``, the number ``value``."""

    kind: str
    number: int = 0
    value: float = 0.0

    def __str__(self) -> str:
        return repr(self.value) if self.kind == "n" else f"{self.kind}{self.number}"


class Term(NamedTuple):
    """A function of operands."""

    word: str
    operands: tuple[Operand, ...]

    def __str__(self) -> str:
        return f"{self.word}({', '.join(map(str, self.operands))})"


class Word(NamedTuple):
    """A function of ``arity`` operands as torch has it. ``terms``: the formula of its operands in
    simpler words, empty for the simplest."""

    arity: int
    compute: Callable[..., Any]
    terms: str = ""


def _prelu(x: Tensor, slope: Any) -> Tensor:
    if not isinstance(slope, Tensor):
        return F.leaky_relu(x, slope)
    if slope.shape == (1, x.shape[1], 1, 1):
        return F.prelu(x, slope.flatten())
    return torch.where(x < 0, slope * x, x)


def _gelu_tanh(x: Tensor) -> Tensor:
    return F.gelu(x, approximate="tanh")


#: Of those with two operands or more, only the first four take a number as the first.
WORDS: dict[str, Word] = {
    "add": Word(2, operator.add),
    "sub": Word(2, operator.sub),
    "mul": Word(2, operator.mul),
    "div": Word(2, operator.truediv),
    "min": Word(2, lambda x, most: torch.clamp(x, max=most)),
    "max": Word(2, lambda x, least: torch.clamp(x, min=least)),
    "prelu": Word(2, _prelu),
    "elu": Word(2, F.elu),  # the second a number
    "abs": Word(1, torch.abs),
    "sqrt": Word(1, torch.sqrt),
    "rsqrt": Word(1, torch.rsqrt),
    "exp": Word(1, torch.exp),
    "log": Word(1, torch.log),
    "sigmoid": Word(1, torch.sigmoid),
    "tanh": Word(1, torch.tanh),
    "softplus": Word(1, F.softplus),
    "gelu": Word(1, F.gelu),
    "neg": Word(1, torch.neg, "mul(x0, -1)"),
    "square": Word(1, torch.square, "mul(x0, x0)"),
    "relu": Word(1, F.relu, "max(x0, 0)"),
    "clamp": Word(3, torch.clamp, "max(x0, x1); min(t0, x2)"),
    "addcmul": Word(3, torch.addcmul, "mul(x1, x2); add(x0, t0)"),
    "silu": Word(1, F.silu, "sigmoid(x0); mul(x0, t0)"),
    "mish": Word(1, F.mish, "softplus(x0); tanh(t0); mul(x0, t1)"),
    "hardsigmoid": Word(1, F.hardsigmoid, "add(x0, 3); max(t0, 0); min(t1, 6); div(t2, 6)"),
    "hardswish": Word(
        1, F.hardswish, "add(x0, 3); max(t0, 0); min(t1, 6); mul(t2, x0); div(t3, 6)"
    ),
    # x sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3))
    "gelu_tanh": Word(
        1,
        _gelu_tanh,
        "mul(x0, x0); mul(t0, 0.07135481282737556); add(t1, 1.5957691216057308); mul(t2, x0);"
        "sigmoid(t3); mul(t4, x0)",
    ),
}
_TERM = re.compile(r"\s*(\w+)\(([^()]*)\)\s*")


@cache
def parse(text: str) -> tuple[Term, ...]:
    """The terms of a formula.

    Raises:
        ValueError: an unknown function, a wrong number of operands, or one that is not known yet.
    """
    terms: list[Term] = []
    for part in text.split(";"):
        match = _TERM.fullmatch(part)
        word = WORDS.get(match[1]) if match else None
        if match is None or word is None:
            raise ValueError(f"{part.strip()!r} is no function of a formula")
        operands = tuple(_operand(each.strip(), len(terms)) for each in match[2].split(","))
        if len(operands) != word.arity:
            raise ValueError(f"{match[1]} takes {word.arity} operands, not {len(operands)}")
        first = operands[0].kind == "n" and match[1] not in ("add", "sub", "mul", "div")
        if first or all(o.kind == "n" for o in operands):
            raise ValueError(f"{part.strip()!r} has a number where it needs a tensor")
        terms.append(Term(match[1], operands))
    return tuple(terms)


def _operand(text: str, terms: int) -> Operand:
    if text[:1] in ("x", "c", "t") and text[1:].isdecimal():
        operand = Operand(text[0], int(text[1:]))
        if operand.kind == "t" and operand.number >= terms:
            raise ValueError(f"{text} is not known yet in the formula's term {terms}")
        return operand
    try:
        return Operand("n", value=float(text))
    except ValueError:
        raise ValueError(f"{text!r} is no operand of a formula") from None


def written(terms: Sequence[Term]) -> str:
    """The text of a formula."""
    return "; ".join(map(str, terms))


def counts(text: str) -> tuple[int, int]:
    """Count the inputs and constants that the formula needs."""
    operands = [o for term in parse(text) for o in term.operands]
    inputs, constants = ([o.number + 1 for o in operands if o.kind == kind] for kind in "xc")
    return max(inputs, default=0), max(constants, default=0)


#: Functions that torch has in place too.
_IN_PLACE: dict[str, Callable[..., Any]] = {
    "add": operator.iadd,
    "sub": operator.isub,
    "mul": operator.imul,
    "div": operator.itruediv,
    "prelu": lambda x, slope: F.leaky_relu(x, slope, inplace=True),
    "relu": torch.relu_,
    "sigmoid": torch.sigmoid_,
    "tanh": torch.tanh_,
    "clamp": torch.clamp_,
    "silu": lambda x: F.silu(x, inplace=True),
    "hardswish": lambda x: F.hardswish(x, inplace=True),
}


def evaluate(
    text: str,
    inputs: Sequence[Tensor],
    constants: Sequence[Tensor],
    spent: Sequence[int] | None = None,
) -> Tensor:
    """The formula in plain torch. ``constants`` are ``[C]``.

    ``spent``: numbers of inputs that may be written over, and then terms are too, where torch can:
    a fresh tensor costs more to get from the system than to fill. None keeps all, for gradients.
    """
    values: dict[Operand, Any] = {Operand("x", i): x for i, x in enumerate(inputs)}
    values |= {Operand("c", i): c.view(1, -1, 1, 1) for i, c in enumerate(constants)}
    terms = parse(text)
    last = {o: n for n, term in enumerate(terms) for o in term.operands}
    for n, (word, operands) in enumerate(terms):
        first = operands[0]
        mine = first.kind == "t" or (first.kind == "x" and first.number in (spent or ()))
        args = [o.value if o.kind == "n" else values[o] for o in operands]
        free = spent is not None and mine and last[first] == n and operands.count(first) == 1
        compute = _IN_PLACE.get(word) if free and _holds(*args) else None
        if word == "prelu" and isinstance(args[1], Tensor):
            compute = None
        values[Operand("t", n)] = (compute or WORDS[word].compute)(*args)
        for o in set(operands):
            if o.kind == "t" and last[o] == n:
                del values[o]
    return values[Operand("t", len(terms) - 1)]


def _holds(x: Any, *others: Any) -> bool:
    """Return true if a function of the operands is as large as the first of them."""

    def fits(shape: torch.Size) -> bool:
        pairs = zip(shape[::-1], x.shape[::-1], strict=False)
        return len(shape) <= x.dim() and all(length in (1, whole) for length, whole in pairs)

    return all(fits(other.shape) for other in others if isinstance(other, Tensor))


@cache
def simplest(text: str) -> tuple[Term, ...]:
    """The same formula in those words that have no ``terms`` of their own."""
    terms: list[Term] = []
    place: list[Operand] = []  # of each term of the text among `terms`
    for word, operands in parse(text):
        given = [place[o.number] if o.kind == "t" else o for o in operands]
        inner = parse(WORDS[word].terms) if WORDS[word].terms else None
        if inner is None:
            terms.append(Term(word, tuple(given)))
        else:
            first = len(terms)
            for name, parts in inner:
                terms.append(Term(name, tuple(_moved(o, given, first) for o in parts)))
        place.append(Operand("t", len(terms) - 1))
    return tuple(terms)


def _moved(operand: Operand, given: list[Operand], first: int) -> Operand:
    if operand.kind == "x":
        return given[operand.number]
    return Operand("t", first + operand.number) if operand.kind == "t" else operand
