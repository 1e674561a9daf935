"""Re-parameterised convolutions: several branches in training, exactly one 3x3 in use.

Known by structure, under whatever names: a ``Sequential`` of three convolutions (1x1, 3x3 without
padding, 1x1), a 1x1 beside it, and at most one padded 3x3 that holds the merged result. What the
module computes is then *measured* and compared with the candidates, so that a flag for a trailing
activation, or a merged form that is not refreshed, is found out rather than guessed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_TOLERANCE = 1e-9  # relative, in float64
_SLOPES = (0.05, 0.1, 0.2, 0.01)  # of leaky rectifiers met after such convolutions


@dataclass(frozen=True)
class Folded:
    """``act(conv3x3(x, weight, bias))``: float64 ``[Co, Ci, 3, 3]`` and ``[Co]``.

    ``derived``: the submodule whose tensors follow from the others, if the branches are the source.
    """

    weight: Tensor
    bias: Tensor
    act: str
    slope: float
    derived: str | None


@dataclass(frozen=True)
class _Roles:
    chain: tuple[nn.Conv2d, nn.Conv2d, nn.Conv2d]
    skip: nn.Conv2d
    merged: tuple[str, nn.Conv2d] | None


def looks_reparameterised(module: nn.Module) -> bool:
    """Return true if it has the parts of a re-parameterised convolution."""
    return _roles(module) is not None


def fold(module: nn.Module) -> Folded | None:
    """The one convolution that ``module`` (float64, CPU, evaluation mode) is, or None."""
    roles = _roles(module)
    if roles is None:
        return None
    draw = torch.Generator(device="cpu").manual_seed(0)
    channels = roles.skip.in_channels
    x = torch.randn(1, channels, 6, 7, generator=draw, dtype=torch.float64, device="cpu")
    try:
        result = module(x)
    except Exception:  # its code is a stranger's: whatever it raises, it is not ours to fold
        return None
    if not isinstance(result, Tensor):
        return None
    for weight, bias, derived in _candidates(roles):
        found = _activation(F.conv2d(x, weight, bias, padding=1), result)
        if found is not None:
            return Folded(weight, bias, *found, derived)
    return None


def _candidates(roles: _Roles):
    yield (*_merge(roles), roles.merged[0] if roles.merged else None)
    if roles.merged:
        conv = roles.merged[1]
        bias = conv.bias if conv.bias is not None else conv.weight.new_zeros(conv.out_channels)
        yield conv.weight.detach().clone(), bias.detach().clone(), None


def _merge(roles: _Roles) -> tuple[Tensor, Tensor]:
    """Padding comes before the first 1x1, so its bias reaches the border too: the merge is exact.

    Source: Wan et al. (SPAN, 2023), the convolution of its training form.
    """
    (w1, b1), (w2, b2), (w3, b3), (ws, bs) = map(_weights, (*roles.chain, roles.skip))
    w1, w3 = w1.flatten(1), w3.flatten(1)
    weight = torch.einsum("op,pqyx,qi->oiyx", w3, w2, w1) + F.pad(ws, (1, 1, 1, 1))
    bias = b3 + bs + w3 @ (b2 + w2.sum((2, 3)) @ b1)
    return weight, bias


def _weights(conv: nn.Conv2d) -> tuple[Tensor, Tensor]:
    weight = conv.weight.detach()
    return weight, weight.new_zeros(len(weight)) if conv.bias is None else conv.bias.detach()


def _activation(linear: Tensor, result: Tensor) -> tuple[str, float] | None:
    named = {"none": linear, "relu": F.relu(linear), "silu": F.silu(linear)}
    for act, candidate in named.items():
        if _equal(candidate, result):
            return act, 0.0
    for slope in _SLOPES:
        if _equal(F.leaky_relu(linear, slope), result):
            return "lrelu", slope
    return None


def _equal(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and bool((a - b).abs().max() <= _TOLERANCE * b.abs().max())


def _roles(module: nn.Module) -> _Roles | None:
    children = list(module.named_children())
    chains = [m for _, m in children if type(m) is nn.Sequential]
    singles = [(name, m) for name, m in children if type(m) is nn.Conv2d]
    skips = [m for _, m in singles if _plain(m, 1, 0)]
    merged = [(name, m) for name, m in singles if _plain(m, 3, 1)]
    if len(chains) != 1 or len(skips) != 1 or len(skips) + len(merged) != len(singles):
        return None
    chain = tuple(chains[0])
    if len(merged) > 1 or len(chain) != 3:
        return None
    if not all(_plain(conv, k, 0) for conv, k in zip(chain, (1, 3, 1), strict=True)):
        return None
    ends = (chain[0].in_channels, chain[2].out_channels)
    alike = [skips[0], *(m for _, m in merged)]
    if any((conv.in_channels, conv.out_channels) != ends for conv in alike):
        return None
    return _Roles(chain, skips[0], merged[0] if merged else None)


def _plain(module: nn.Module, kernel: int, padding: int) -> bool:
    return (
        type(module) is nn.Conv2d
        and module.kernel_size == (kernel, kernel)
        and module.padding in ((padding, padding), padding)
        and module.stride == module.dilation == (1, 1)
        and module.groups == 1
        and module.padding_mode == "zeros"
    )
