"""Algebra of merges: convolutions one after the other, and side by side, as one kernel.

Zero padding is assumed to be done once, before the first convolution of a chain, so that its bias
reaches the padded ring: then every identity here holds at the borders of the picture too.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Kernel(NamedTuple):
    """Weight ``[Co, Ci, kh, kw]`` and bias ``[Co]`` (or None) of a convolution with one group."""

    weight: Tensor
    bias: Tensor | None = None

    @classmethod
    def of(cls, convolution: nn.Conv2d, dtype: torch.dtype) -> "Kernel":
        """Read the kernel of a module, with its groups expanded into one."""
        weight = _one_group(convolution.weight.to(dtype), convolution.groups)
        return cls(weight, None if convolution.bias is None else convolution.bias.to(dtype))


def identity(like: Tensor) -> Kernel:
    """Return the 1x1 convolution that changes nothing, for ``like``'s input channels and dtype."""
    eye = torch.eye(like.shape[1], dtype=like.dtype, device=like.device)
    return Kernel(eye[:, :, None, None])


def chain(first: Kernel, *others: Kernel) -> Kernel:
    """Merge convolutions one after the other, without padding or activation in between.

    ``W[o, i] = sum over m of W2[o, m] W1[m, i]``, ``b = b2 + (sum of W2's taps) b1``. Along each
    axis at most one of them is wider than one pixel.
    """
    for then in others:
        weight = torch.einsum("omab,micd->oiacbd", then.weight, first.weight)
        outputs, inputs, a, c, b, d = weight.shape
        reached = None if first.bias is None else then.weight.sum((2, 3)) @ first.bias
        first = Kernel(weight.reshape(outputs, inputs, a * c, b * d), _sum((then.bias, reached)))
    return first


def total(*branches: Kernel) -> Kernel:
    """Merge odd-sized branches whose results are added, each centred on the pixel."""
    size = max(branch.weight.shape[-1] for branch in branches)
    centred = [F.pad(weight, [(size - weight.shape[-1]) // 2] * 4) for weight, _ in branches]
    return Kernel(sum(centred[1:], centred[0]), _sum(branch.bias for branch in branches))


def convolution(kernel: Kernel, like: Tensor, **geometry: Any) -> nn.Conv2d:
    """Make a module with a kernel.

    Args:
        kernel: Weight and bias.
        like: A tensor whose dtype, device and need of gradients the parameters take over.
        **geometry: Keyword arguments of ``nn.Conv2d``; by default zero padding that keeps H and W.
    """
    outputs, inputs, rows, columns = kernel.weight.shape
    geometry.setdefault("padding", (rows // 2, columns // 2))
    inputs *= geometry.get("groups", 1)
    # On "meta" no initial numbers are drawn, which would change the caller's random state.
    with torch.device("meta"):
        made = nn.Conv2d(inputs, outputs, (rows, columns), bias=kernel.bias is not None, **geometry)
    for name, value in kernel._asdict().items():
        if value is not None:
            value = value.detach().to(like).contiguous()
            setattr(made, name, nn.Parameter(value, requires_grad=like.requires_grad))
    return made


def _sum(terms: Iterable[Tensor | None]) -> Tensor | None:
    there = [term for term in terms if term is not None]
    return sum(there[1:], there[0]) if there else None


def _one_group(weight: Tensor, groups: int) -> Tensor:
    if groups == 1:
        return weight
    blocks = weight.unflatten(0, (groups, -1))
    own = torch.eye(groups, dtype=weight.dtype, device=weight.device)
    return torch.einsum("gmixy,gh->gmhixy", blocks, own).flatten(2, 3).flatten(0, 1)
