"""Comparison of a kernel on a device with the op's formula, by the rule that the tests keep."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from ..op import Op


def disagreement(
    op: Op,
    run: Callable,
    device: torch.device,
    dtype: torch.dtype,
    rounding: torch.dtype | None = None,
) -> str | None:
    """Return what ``run`` gets wrong on the op's examples, None if nothing.

    Args:
        op: its declaration.
        run: takes the op's schema arguments.
        device: where it runs.
        dtype: of the arguments.
        rounding: the dtype of plain torch that has the digits of ``run``; ``dtype`` if None.
    """
    rounding = rounding or dtype
    for args in op.example_arguments():
        reason = _mismatch_on(args, op, run, device, dtype, rounding)
        if reason:
            return reason
    return None


def _mismatch_on(
    args: tuple, op: Op, run: Callable, device: torch.device, dtype: torch.dtype, to: torch.dtype
) -> str | None:
    rounded = _tensors(lambda t: t.to(dtype), args)
    here = _tensors(lambda t: t.to(device), rounded)
    return mismatch(
        lambda: run(*here),
        lambda: op.in_torch(*_tensors(lambda t: t.to(to), here)),
        lambda: op.in_torch(*_tensors(Tensor.double, rounded)),
        to,
    )


def mismatch(
    ours: Callable[[], Any],
    plain: Callable[[], Any],
    exact: Callable[[], Any],
    rounding: torch.dtype,
) -> str | None:
    """Return how ``ours()`` is worse than torch, None if it is not.

    The rule is that of the tests: at most twice the largest error of plain torch in the same dtype,
    and 3e-6 or a rounding of the largest value.

    Args:
        ours: computes our results.
        plain: plain torch's, in the dtype ``rounding``.
        exact: those in float64 on the CPU.
        rounding: the dtype of plain torch that has as many digits as ours.
    """
    truths = tree_leaves(exact())
    try:
        results = [y.cpu() for y in tree_leaves(ours())]
    except Exception as error:  # a compiler's or a driver's, of any kind
        return f"{type(error).__name__}: {error}".splitlines()[0]
    for y, theirs, truth in zip(results, tree_leaves(plain()), truths, strict=True):
        if y.shape != truth.shape:
            return f"wrong shape {list(y.shape)}, expected {list(truth.shape)}: please report this"
        slack = max(3e-6, torch.finfo(rounding).eps) * truth.abs().max().item()
        allowed = 2 * _error(theirs, truth) + slack
        distance = _error(y, truth)
        if not distance <= allowed:  # a NaN is wrong, too
            return f"wrong by {distance:.2g}, {allowed:.2g} allowed: please report this"
    return None


def _tensors(change: Callable, args: tuple) -> tuple:
    return tree_map(lambda leaf: change(leaf) if isinstance(leaf, Tensor) else leaf, args)


def _error(y: Tensor, truth: Tensor) -> float:
    return (y.detach().double().cpu() - truth).abs().max().item()
