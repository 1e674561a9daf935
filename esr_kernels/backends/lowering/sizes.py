"""Sizes of the results of ops in a program, for pictures that are not known yet.

A :class:`Size` is what was done to the picture's size: the rules of pooling and enlarging, as the
kernels' ``Axes`` have them. Values can be combined where their sizes are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Size:
    """``rules``: kernel, stride, factor and padding of each; a kernel of 0 leaves one pixel."""

    rules: tuple[tuple[int, int, int, int], ...] = ()

    def after(self, kernel: int, stride: int, factor: int = 1, padding: int = 0) -> Size:
        """The size that one more rule makes of this one."""
        rule = (kernel, stride, factor, padding)
        return self if rule == (1, 1, 1, 0) else Size((*self.rules, rule))


PICTURE = Size()
#: Of values that are one pixel in every picture.
ONE = PICTURE.after(0, 1)
#: Of what is written as the program's output only.
SHUFFLED = PICTURE.after(0, 0)
#: Of what a program cannot read.
UNKNOWN = PICTURE.after(0, -1)


@dataclass(frozen=True)
class Place:
    """The program that computes a node. ``picture``: height and width, for the test picture, of
    what it reads. ``size``: of the node's result in it."""

    picture: tuple[int, ...]
    size: Size


def result_size(op: Any, args: Sequence) -> Size | None:
    """The size of an op's results, None where a program cannot have it.

    Args:
        op: the op.
        args: its schema arguments, with sizes in the place of activations and shapes in that of
            weights.
    """
    rule = _RULES.get(op.name)
    if rule is not None:
        return rule(*args)
    sizes = set(op.activations_of(args))
    return sizes.pop() if len(sizes) == 1 else None


def _elementwise(inputs, *_) -> Size | None:
    larger = set(inputs) - {ONE}
    if not larger:
        return ONE
    return larger.pop() if len(larger) == 1 else None


def _window_max(x, kernel, stride, padding) -> Size | None:
    return None if x == ONE else x.after(kernel or stride, stride, 1, padding)


def _window_variance(x, kernel, stride, padding) -> Size | None:
    return None if x == ONE else x.after(kernel, stride, 1, padding)


def _resample(x, like, factor, mode) -> Size | None:
    if like is not None:
        return like
    return None if x == ONE else x.after(1, 1, factor)


def _conv3x3_pixel_shuffle(x, weight, bias, upscale_factor, skip) -> Size | None:
    return SHUFFLED if skip in (None, x) else None


def _strided_conv(x, weight, bias, padding) -> Size | None:
    return x.after(weight[-1], 2, 1, padding)


def _statistic(*_) -> Size | None:
    return ONE


_FUNCTIONS = (
    *(_elementwise, _window_max, _window_variance, _resample, _statistic),
    *(_conv3x3_pixel_shuffle, _strided_conv),
)
_RULES = {f.__name__.lstrip("_"): f for f in _FUNCTIONS}
