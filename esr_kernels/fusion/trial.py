"""The bound program beside the plain module, in the dtype that it will be used in.

Rewrites are proven in float64 (``verify.py``); what a backend makes of the graph is not a graph any
more, and runs its parts in an order of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import TreeSpec, tree_flatten, tree_unflatten

from .values import Untraceable

#: How an output's dimensions lie in memory, the one with the largest stride first.
_Order = tuple[int, ...]


class Results:
    """The nest of plain results, and how they lie in memory for each way that the input may."""

    def __init__(self, spec: TreeSpec, orders: dict[_Order, list[_Order | None]]):
        self._spec, self._orders = spec, orders

    def like_plain(self, x: Tensor, result: Any) -> Any:
        """``result`` in the nest and memory format that the plain module gives for ``x``."""
        leaves = tree_flatten(result)[0]
        orders = self._orders.get(_order(x))
        if orders is not None:
            leaves = [_laid(y, order) for y, order in zip(leaves, orders, strict=True)]
        return tree_unflatten(leaves, self._spec)


def _order(y: Tensor) -> _Order:
    return tuple(sorted(range(y.dim()), key=lambda i: -y.stride(i)))


def _order_unless_contiguous(y: Any) -> _Order | None:
    return _order(y) if isinstance(y, Tensor) and not y.is_contiguous() else None


def _laid(y: Any, order: _Order | None) -> Any:
    if not isinstance(y, Tensor):
        return y
    if order is None or len(order) != y.dim():
        return y.contiguous()
    if _order(y) == order:
        return y
    back = [order.index(i) for i in range(len(order))]
    return y.permute(order).contiguous().permute(back)


def try_out(
    run: Callable[..., Any],
    plain: Callable[..., Any],
    rounded: Callable[..., Any],
    inputs: tuple[Tensor, ...],
    exact: Any,
    compute_dtype: torch.dtype,
) -> Results:
    """Runs them on ``inputs`` in either memory format, and returns what the plain results are like.

    ``rounded``: the plain module in ``compute_dtype``; what that makes of noise, which ``inputs``
    are, may have no digit left, and ``run`` may be as far from ``exact``, the result in float64.
    Raises ``Untraceable`` where it computes something else, or writes something else into its
    input.
    """
    spec = tree_flatten(exact)[1]
    orders = {}
    for layout in (torch.contiguous_format, torch.channels_last):
        given, kept = ([x.clone(memory_format=layout) for x in inputs] for _ in range(2))
        try:
            expected = plain(*kept)
        except (RuntimeError, ValueError):  # it does not run in its own dtype, or so laid out
            continue
        torchs = [expected, kept]
        if rounded is not plain:
            torchs = _own_rounding(rounded, inputs, layout, compute_dtype) or torchs
        if not same([run(*given), given], [expected, kept], torchs, [exact, kept], compute_dtype):
            raise Untraceable("its program does not compute what the module computes")
        orders[_order(given[0])] = list(map(_order_unless_contiguous, tree_flatten(expected)[0]))
    return Results(spec, orders)


def _own_rounding(
    rounded: Callable[..., Any],
    inputs: tuple[Tensor, ...],
    layout: torch.memory_format,
    dtype: torch.dtype,
) -> list | None:
    given = [x.to(dtype, memory_format=layout, copy=True) for x in inputs]
    try:
        return [rounded(*given), given]
    except (RuntimeError, ValueError):  # it does not run in that dtype
        return None


def same(ours: Any, plain: Any, torchs: Any, exact: Any, dtype: torch.dtype) -> bool:
    """Return true if ``ours`` are results like ``plain``, and computed in ``dtype`` equal to the
    ``exact`` ones in half of their digits, or as near to them as ``torchs``, what torch computes
    in that dtype; a term that is missing or was read too late is far larger."""
    ours, plain, torchs, exact = (tree_flatten(nest)[0] for nest in (ours, plain, torchs, exact))
    # Tensor cores multiply float32 with as many digits as float16 has.
    share = max(torch.finfo(d).eps for d in (dtype, torch.float16)) ** 0.5
    return (
        len(ours) == len(plain) == len(torchs) == len(exact)
        and all(map(_alike, ours, plain))
        and all(_near(o, t, e, share) for o, t, e in zip(ours, torchs, exact, strict=True))
    )


def _alike(ours: Any, plain: Any) -> bool:
    if isinstance(ours, Tensor) and isinstance(plain, Tensor):
        return ours.shape == plain.shape and ours.dtype == plain.dtype
    return type(ours) is type(plain) and bool(ours == plain)


def _near(ours: Any, torchs: Any, exact: Any, share: float) -> bool:
    if not isinstance(ours, Tensor) or ours.numel() == 0 or not bool(torchs.isfinite().all()):
        return True
    ours, torchs, exact = (y.detach().to("cpu", torch.float64) for y in (ours, torchs, exact))
    limit = max(share * exact.abs().max(), 4 * (torchs - exact).abs().max())
    return bool((ours - exact).abs().max() <= limit)
