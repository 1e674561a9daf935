"""Merge of several convolutions one after the other, for separable ones made dense."""

from dataclasses import dataclass

import torch
from torch import nn

from .kernel import Kernel, chain, convolution


@torch.no_grad()
def merge_sequence(first: nn.Conv2d, *others: nn.Conv2d) -> nn.Conv2d:
    """Make the dense convolution equal to ``first`` and then each of the others.

    This is for pointwise then depthwise (BSConv), depthwise then pointwise, 3x1 then 1x3, with
    groups or without. It is computed in float64 and stored in the first's dtype. The result is
    exact at the borders too, or refused: a later convolution pads the result of an earlier one, and
    padding that with zeros equals padding the picture only where the earlier ones have no bias.
    Mirrored, repeated and circular padding always agrees; so does padding before the first.

    Raises:
        ValueError: No single convolution is equal, at the borders or anywhere.
    """
    kernel, geometry = Kernel.of(first, torch.float64), _Geometry.of(first)
    for then in others:
        biased = kernel.bias is not None and bool((kernel.bias != 0).any())
        geometry = geometry.followed_by(_Geometry.of(then), biased)
        kernel = chain(kernel, Kernel.of(then, torch.float64))
    return convolution(
        kernel,
        like=first.weight,
        stride=tuple(axis.stride for axis in geometry.axes),
        padding=tuple(axis.padding for axis in geometry.axes),
        dilation=tuple(axis.dilation for axis in geometry.axes),
        padding_mode=geometry.padding_mode,
    )


@dataclass(frozen=True)
class _Axis:
    """A convolution along the height or the width."""

    size: int
    stride: int
    padding: int
    dilation: int

    def followed_by(self, then: "_Axis") -> "_Axis":
        if self.size > 1 and then.size > 1:
            raise ValueError(
                f"{self.size} and then {then.size} pixels along one axis: the padding between them "
                "makes the pair differ from any single convolution at the borders"
            )
        if then.size > 1 and self.stride > 1:
            raise ValueError("only the last convolution along an axis can have a stride")
        if then.padding and (self.padding or then.size == 1):
            raise ValueError("an axis is padded once, by the convolution that is wide along it")
        wide = then if then.size > 1 else self
        return _Axis(
            wide.size, self.stride * then.stride, self.padding + then.padding, wide.dilation
        )


@dataclass(frozen=True)
class _Geometry:
    axes: tuple[_Axis, ...]
    padding_mode: str

    @classmethod
    def of(cls, module: nn.Conv2d) -> "_Geometry":
        if isinstance(module.padding, str):
            raise ValueError(f"padding={module.padding!r}: give it in pixels")
        numbers = zip(
            module.kernel_size, module.stride, module.padding, module.dilation, strict=True
        )
        return cls(tuple(_Axis(*axis) for axis in numbers), module.padding_mode)

    def followed_by(self, then: "_Geometry", biased: bool) -> "_Geometry":
        axes = tuple(a.followed_by(b) for a, b in zip(self.axes, then.axes, strict=True))
        if not then._pads:
            return _Geometry(axes, self.padding_mode)
        if then.padding_mode == "zeros" and biased:
            raise ValueError(
                "zero padding after a convolution with bias: exact inside the picture but not at "
                "its borders. Drop the bias, or pad before the first"
            )
        if self._pads and self.padding_mode != then.padding_mode:
            raise ValueError(
                f"padding_mode {self.padding_mode!r} along one axis and {then.padding_mode!r} "
                "along the other: one convolution has only one"
            )
        return _Geometry(axes, then.padding_mode)

    @property
    def _pads(self) -> bool:
        return any(axis.padding for axis in self.axes)
