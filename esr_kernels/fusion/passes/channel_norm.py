"""Norms over channels, written out, torch's own or between two transpositions: ``channel_norm``."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.fx import Graph, Node

from ...ops import CHANNEL_NORM
from ..graph import calls, constant, in_order, only_use, paths, replace_with, shape, sweep, value

_LAST = ((0, 2, 3, 1), (0, 3, 1, 2))  # channels to the end, and back, as permutations


def fuse_channel_norm(graph: Graph) -> None:
    """``w * (x - mean(x)) / sqrt(mean((x - mean(x))^2) + eps) + b`` with means over the channels,
    from which ``w``, ``b`` and the mean of x may be missing; ``layer_norm`` of the channels moved
    last; and ``normalize``."""
    for node in in_order(graph, operator.mul, operator.truediv):
        found = _written_out(node)
        if found is not None and node.users:
            _replace(found)
    for node in list(graph.nodes):
        found = _transposed(node) or _normalized(node)
        if found is not None:
            _replace(found)
    sweep(graph)


@dataclass
class _Norm:
    x: Node
    eps: float
    last: Node  # whose result it is
    weight: Tensor | None = None
    bias: Tensor | None = None
    kind: str = "layer"


def _replace(norm: _Norm) -> None:
    graph, path = norm.last.graph, paths(norm.last)[-1]
    with graph.inserting_before(norm.last):
        weight = constant(graph, norm.weight, f"{path}.weight")
        bias = constant(graph, norm.bias, f"{path}.bias")
    replace_with(norm.last, CHANNEL_NORM, (norm.x, weight, bias, norm.eps, norm.kind))


def _written_out(node: Node) -> _Norm | None:
    """The norm whose quotient or product is this node, with the factor and the sum behind it."""
    for centred, scale in (node.args, node.args[::-1]):
        if not isinstance(centred, Node) or len(shape(centred) or ()) != 4:
            continue
        eps = _deviation(scale, centred, inverse=node.target is operator.mul)
        if eps is None:
            continue
        x, mean = centred.args if calls(centred, operator.sub) else (None, None)
        if _is_mean(mean, x) and shape(x) == shape(centred):
            return _with_factor(_Norm(x, eps, node))
        return _with_factor(_Norm(centred, eps, node, kind="rms"))
    return None


def _normalized(node: Node) -> _Norm | None:
    """Torch's own norm by length."""
    if not calls(node, F.normalize):
        return None
    given = dict(zip(("input", "p", "dim", "eps", "out"), node.args, strict=False)) | node.kwargs
    x, of_channels = given["input"], given.get("dim", 1) in (1, -3) and given.get("p", 2) == 2
    if not of_channels or len(shape(x) or ()) != 4 or given.get("out") is not None:
        return None
    return _Norm(x, float(given.get("eps", 1e-12)), node, kind="length")


def _deviation(scale: Any, centred: Node, inverse: bool) -> float | None:
    """eps where ``scale`` is ``sqrt(mean(centred^2) + eps)``, or one over it."""
    if not calls(scale, torch.rsqrt if inverse else torch.sqrt):
        return None
    total = scale.args[0]
    if not calls(total, operator.add):
        return None
    variance, eps = total.args if isinstance(total.args[0], Node) else total.args[::-1]
    if isinstance(eps, Node):
        eps = float(value(eps)) if value(eps) is not None and value(eps).numel() == 1 else None
    if not isinstance(eps, int | float) or not calls(square := _mean_of(variance), torch.square):
        return None
    same = square.args[0] is centred or _same_difference(square.args[0], centred)
    return float(eps) if same else None


def _same_difference(a: Any, b: Node) -> bool:
    return calls(a, operator.sub) and a.args == b.args


def _mean_of(node: Any) -> Any:
    """Return what the node averages over the channels, which stay as one; None if it does not."""
    if not isinstance(node, Node) or node.target not in ("mean", torch.mean) or not node.args:
        return None
    given = dict(zip(("dim", "keepdim"), node.args[1:], strict=False)) | node.kwargs
    dim = given.pop("dim", None)
    dim = tuple(dim) if isinstance(dim, list | tuple) else (dim,)
    keeps = given.pop("keepdim", False) is True
    return node.args[0] if keeps and not given and dim in ((1,), (-3,)) else None


def _is_mean(node: Any, x: Any) -> bool:
    return isinstance(x, Node) and _mean_of(node) is x


def _with_factor(norm: _Norm) -> _Norm:
    """With ``w * y + b`` taken in, as far as it is there."""
    user = next(iter(norm.last.users), None) if only_use(norm.last) else None
    if calls(user, torch.addcmul) and not user.kwargs:
        bias, *factors = user.args
        weight = next((f for f in factors if f is not norm.last), None)
        if _per_channel(weight, norm) is not None and _per_channel(bias, norm) is not None:
            norm.weight, norm.bias = _per_channel(weight, norm), _per_channel(bias, norm)
            norm.last = user
        return norm
    for target, name in ((operator.mul, "weight"), (operator.add, "bias")):
        user = next(iter(norm.last.users), None) if only_use(norm.last) else None
        other = next((a for a in user.args if a is not norm.last), None) if user else None
        if calls(user, target) and (given := _per_channel(other, norm)) is not None:
            setattr(norm, name, given)
            norm.last = user
    return norm


def _per_channel(node: Any, norm: _Norm) -> Tensor | None:
    given, channels = value(node), shape(norm.x)[1]
    if given is None or given.dim() < 3 or given.numel() != channels:
        return None
    return given.double().flatten() if given.shape[-3] == channels else None


def _transposed(node: Node) -> _Norm | None:
    """``layer_norm`` over the last axis, to which the channels come and from which they go."""
    middle = _moved(node, back=True)
    if not calls(middle, F.layer_norm) or not only_use(middle):
        return None
    given = dict(zip(("normalized_shape", "weight", "bias", "eps"), middle.args[1:], strict=False))
    given |= middle.kwargs
    x = _moved(middle.args[0], back=False)
    size = shape(x) if isinstance(x, Node) else None
    if size is None or len(size) != 4 or tuple(given["normalized_shape"]) != size[1:2]:
        return None
    weight, bias = given.get("weight"), given.get("bias")
    if any(w is not None and value(w) is None for w in (weight, bias)):
        return None
    known = [None if w is None else value(w).double() for w in (weight, bias)]
    return _Norm(x, float(given.get("eps", 1e-5)), node, *known)


def _moved(node: Any, back: bool) -> Any:
    """Return the node whose channels this one moves to the end, or from there back."""
    if not isinstance(node, Node) or node.kwargs:
        return None
    name = getattr(node.target, "__name__", node.target)
    source, *where = node.args or (None,)
    where = where[0] if len(where) == 1 else where
    if name == "permute" and tuple(n % 4 for n in where) == _LAST[back]:
        return source
    ends = tuple(n % 4 for n in where) if name in ("movedim", "moveaxis") else ()
    return source if ends == ((3, 1) if back else (1, 3)) else None
