"""Whether a backend's function for an op does on this device what the op's formula says.

For kernels that no machine of ours has run: a backend asks once for each op, device and dtype, and
refuses what it gets wrong, so that a mistake costs speed and never a picture.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from ..op import Op


@cache
def first_disagreement(
    ops: tuple[Op, ...],
    implementation: Callable[[Op], Callable],
    device: torch.device,
    dtype: torch.dtype,
    rounding: torch.dtype,
) -> str | None:
    """What the first of these ops that is wrong gets wrong, None if none is; tried out once.

    ``implementation``: gives a backend's function for an op. Else as for :func:`disagreement`.
    """
    found = (disagreement(op, implementation(op), device, dtype, rounding) for op in ops)
    return next((reason for reason in found if reason), None)


def disagreement(
    op: Op,
    run: Callable,
    device: torch.device,
    dtype: torch.dtype,
    rounding: torch.dtype | None = None,
) -> str | None:
    """None where ``run`` is as near to float64 as ``reference`` is there, else what is wrong.

    Both take the schema arguments of ``op``. The rule is that of the tests: at most twice the
    largest error of plain torch in the same dtype, and 3e-6 or a rounding of the largest value.

    Args:
        rounding: the dtype of plain torch that has the digits of ``run``; ``dtype`` if None.
    """
    checks = (
        _disagreement(op, args, run, device, dtype, rounding or dtype)
        for args in op.example_arguments()
    )
    return next((reason for reason in checks if reason), None)


def _disagreement(op, args, run, device, dtype, rounding) -> str | None:
    rounded = _tensors(lambda t: t.to(dtype), args)
    exact = tree_leaves(op.in_torch(*_tensors(Tensor.double, rounded)))
    here = _tensors(lambda t: t.to(device), rounded)
    try:
        ours = tree_leaves(run(*here))
    except Exception as error:  # a compiler's or a driver's, of any kind
        return f"{op.name} fails on {device}: {type(error).__name__}: {error}".splitlines()[0]
    plain = tree_leaves(op.in_torch(*_tensors(lambda t: t.to(rounding), here)))
    for y, theirs, truth in zip(ours, plain, exact, strict=True):
        slack = max(3e-6, torch.finfo(rounding).eps) * truth.abs().max().item()
        allowed = 2 * _error(theirs, truth) + slack
        if y.shape != truth.shape or not _error(y, truth) <= allowed:
            wrong = f"error {_error(y, truth):.2g}" if y.shape == truth.shape else "another shape"
            return f"{op.name} gives wrong results on {device} ({wrong}): please report this"
    return None


def _tensors(change: Callable, args: tuple) -> tuple:
    return tree_map(lambda leaf: change(leaf) if isinstance(leaf, Tensor) else leaf, args)


def _error(y: Tensor, truth: Tensor) -> float:
    return (y.detach().double().cpu() - truth).abs().max().item()
