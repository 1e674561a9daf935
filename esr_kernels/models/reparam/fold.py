"""Merges for inference: batch norms, and a repeated input, into the convolution beside them."""

import itertools

import torch
from torch import nn

from .kernel import Kernel, convolution


@torch.no_grad()
def fold_batch_norm(before: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """The convolution equal to ``norm(before(x))`` in evaluation mode, at the borders too.

    ``W'[o] = t[o] W[o]``, ``b' = t (b - mean) + beta`` with ``t = gamma / sqrt(var + eps)``; in
    float64, stored in the convolution's dtype. Whatever else reads ``before`` must keep it.

    Raises ``ValueError`` if the norm keeps no statistics or is of another width.
    """
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError(
            "this batch norm keeps no running statistics: it depends on the picture and is no "
            "part of a convolution"
        )
    if norm.num_features != before.out_channels:
        raise ValueError(
            f"the convolution has {before.out_channels} output channels, the batch norm after it "
            f"{norm.num_features}"
        )
    factor = (norm.running_var.double() + norm.eps).rsqrt()
    if norm.weight is not None:
        factor = factor * norm.weight.double()
    centred = -norm.running_mean.double()
    if before.bias is not None:
        centred = centred + before.bias.double()
    bias = factor * centred
    if norm.bias is not None:
        bias = bias + norm.bias.double()
    kernel = Kernel(before.weight.double() * factor[:, None, None, None], bias)
    return convolution(kernel, like=before.weight, groups=before.groups, **_geometry(before))


def fold_batch_norms(module: nn.Module) -> nn.Module:
    """Fold every batch norm that follows a convolution in an ``nn.Sequential``, in place.

    What was a norm is an ``nn.Identity`` then, so that the names of the others stay. Returns
    ``module``, which gives the same in evaluation mode.
    """
    for part in module.modules():
        if isinstance(part, nn.Sequential):
            for i, (before, norm) in enumerate(itertools.pairwise(part)):
                if isinstance(before, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    part[i], part[i + 1] = fold_batch_norm(before, norm), nn.Identity()
    return module


@torch.no_grad()
def fold_repeated_input(stem: nn.Conv2d, times: int) -> nn.Conv2d:
    """The convolution of x equal to ``stem(torch.cat([x] * times, 1))``, at the borders too.

    ``W'[o, c] = sum over r of W[o, C r + c]`` with C the channels of x; in float64, stored in the
    stem's dtype.

    Raises ``ValueError`` if the stem's channels are no multiple of ``times`` or it has groups.
    """
    if stem.groups != 1 or stem.in_channels % times:
        raise ValueError(
            f"a stem of {stem.in_channels} input channels in {stem.groups} groups does not take "
            f"one picture {times} times"
        )
    weight = stem.weight.double().unflatten(1, (times, -1)).sum(1)
    return convolution(Kernel(weight, stem.bias), like=stem.weight, **_geometry(stem))


def _geometry(module: nn.Conv2d) -> dict:
    return {
        name: getattr(module, name) for name in ("stride", "padding", "dilation", "padding_mode")
    }
