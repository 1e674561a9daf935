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


@cache
def first_disagreement(
    ops: tuple[str, ...],
    implementation: Callable[[str], Callable],
    device: torch.device,
    dtype: torch.dtype,
    rounding: torch.dtype,
) -> str | None:
    """What the first of these ops that is wrong gets wrong, None if none is; tried out once.

    ``implementation``: gives a backend's function for an op. Else as for :func:`disagreement`.
    """
    from . import references

    found = (
        disagreement(op, implementation(op), references[op], device, dtype, rounding) for op in ops
    )
    return next((reason for reason in found if reason), None)


def disagreement(
    op: str,
    run: Callable,
    reference: Callable,
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
        _disagreement(op, args, run, reference, device, dtype, rounding or dtype)
        for args in _operands(op)
    )
    return next((reason for reason in checks if reason), None)


def _disagreement(op, args, run, reference, device, dtype, rounding) -> str | None:
    rounded = _tensors(lambda t: t.to(dtype), args)
    exact = tree_leaves(reference(*_tensors(Tensor.double, rounded)))
    here = _tensors(lambda t: t.to(device), rounded)
    try:
        ours = tree_leaves(run(*here))
    except Exception as error:  # a compiler's or a driver's, of any kind
        return f"{op} fails on {device}: {type(error).__name__}: {error}".splitlines()[0]
    plain = tree_leaves(reference(*_tensors(lambda t: t.to(rounding), here)))
    for y, theirs, truth in zip(ours, plain, exact, strict=True):
        slack = max(3e-6, torch.finfo(rounding).eps) * truth.abs().max().item()
        allowed = 2 * _error(theirs, truth) + slack
        if y.shape != truth.shape or not _error(y, truth) <= allowed:
            wrong = f"error {_error(y, truth):.2g}" if y.shape == truth.shape else "another shape"
            return f"{op} gives wrong results on {device} ({wrong}): please report this"
    return None


def _tensors(change: Callable, args: tuple) -> tuple:
    return tree_map(lambda leaf: change(leaf) if isinstance(leaf, Tensor) else leaf, args)


def _error(y: Tensor, truth: Tensor) -> float:
    return (y.detach().double().cpu() - truth).abs().max().item()


def _operands(op: str) -> list[tuple]:
    """Small float64 arguments on the CPU, the same at every call: odd sizes, two pictures.

    Those of ``conv_act`` are a concatenation, a picture that becomes many channels, and a 1x1
    convolution: kernels differ in what they read, and in how many channels they make at a time.
    """
    draw = torch.Generator("cpu").manual_seed(0)

    def tensor(*shape: int) -> Tensor:
        # On the CPU, whatever torch's default device is.
        return torch.rand(shape, generator=draw, dtype=torch.float64, device="cpu") - 0.5

    x = tensor(2, 20, 19, 37)
    if op == "conv_act":
        picture, u = tensor(2, 3, 19, 37), tensor(2, 20, 19, 37)
        return [
            ([x, picture], tensor(26, 23, 3, 3), tensor(26), "silu", 0.0, None),
            ([picture], tensor(112, 3, 3, 3), tensor(112), "lrelu", 0.1, None),
            ([x, picture], tensor(20, 23, 1, 1), tensor(20), "none", 0.0, u),
        ]
    if op == "depthwise3x3_act":
        pointwise = tensor(26, 20, 1, 1), tensor(26)
        u = tensor(2, 26, 19, 37)
        return [(x, tensor(26, 1, 3, 3), tensor(26), "silu", 0.0, u, *pointwise)]
    if op == "spab":
        return [(x, *(part for _ in range(3) for part in (tensor(20, 20, 3, 3), tensor(20))))]
    if op == "conv3x3_pixel_shuffle":
        return [(x, tensor(48, 20, 3, 3), tensor(48), 4, tensor(2, 3, 19, 37))]
    if op == "esa":
        sizes = (8, 20, 1), (8, 8, 1), (8, 8, 3), (8, 8, 3), (20, 8, 1)
        return [(x, *(part for o, i, k in sizes for part in (tensor(o, i, k, k), tensor(o))))]
    if op == "selective_scan":
        tokens, states = (2, 19, 37), (2, 19, 5)
        delta, A = tensor(*tokens) + 0.5, -1 - 4 * (tensor(37, 5) + 0.5)
        return [(tensor(*tokens), delta, A, tensor(*states), tensor(*states), tensor(37))]
    raise ValueError(f"no operands to check {op!r} with")
