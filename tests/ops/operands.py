"""Operands of the op tests: weights, memory layouts, and the comparison with the reference."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tolerance import assert_as_good_as_torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

DTYPES = [torch.float32, torch.bfloat16, torch.float16]


def conv_weights(
    co: int,
    ci: int,
    k: int | tuple[int, int] = 3,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
) -> tuple[Tensor, Tensor]:
    """``([co, ci, k, k], [co])``, so large that maps keep their size from layer to layer.

    ``k``: the kernel's size, or its rows and columns.
    """
    rows, columns = (k, k) if isinstance(k, int) else k
    draw = torch.Generator().manual_seed(seed + 1000 * co + ci)
    weight = torch.randn(co, ci, rows, columns, generator=draw)
    weight *= (1.5 / (ci * rows * columns)) ** 0.5
    return weight.to(dtype), (0.2 * torch.randn(co, generator=draw)).to(dtype)


def contiguous(x: Tensor) -> Tensor:
    return x.contiguous()


def channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def amid_nan(x: Tensor) -> Tensor:
    """A window of a wider tensor that is NaN all around: one read too far shows."""
    n, c, h, w = x.shape
    window = x.new_full((n + 1, c + 2, h + 2, w + 3), torch.nan)[:n, 1:-1, 1:-1, 1:-2]
    return window.copy_(x)


def channel_slice(x: Tensor) -> Tensor:
    """Some channels of a channels_last tensor whose others are NaN."""
    n, c, h, w = x.shape
    wide = channels_last(x.new_full((n, c + 3, h, w), torch.nan))
    return wide[:, 1 : c + 1].copy_(x)


def every_second(x: Tensor) -> Tensor:
    """Steps of two in a row and between rows, over NaN."""
    n, c, h, w = x.shape
    return x.new_full((n, c, 2 * h, 2 * w), torch.nan)[:, :, ::2, ::2].copy_(x)


def transposed(x: Tensor) -> Tensor:
    """Height and width swapped in memory."""
    return x.mT.contiguous().mT


def expanded(x: Tensor) -> Tensor:
    """All pictures of the batch at one place in memory."""
    return x[:1].expand_as(x)


LAYOUTS = [
    contiguous,
    channels_last,
    amid_nan,
    channel_slice,
    every_second,
    transposed,
    expanded,
]


def cast(args: object, dtype: torch.dtype) -> object:
    """The same arguments in another dtype."""
    return tree_map(lambda leaf: leaf.to(dtype) if isinstance(leaf, Tensor) else leaf, args)


def exact(args: object) -> object:
    """The same arguments in float64."""
    return cast(args, torch.float64)


def assert_matches(
    ours: object, reference: Callable, args: tuple, rounding: torch.dtype | None = None
) -> None:
    """Every result of the op keeps the tolerance rule, against its reference on ``args``.

    ``rounding``: the dtype in which plain torch computes, that of ``args`` if None.
    """
    plain = reference(*(args if rounding is None else cast(args, rounding)))
    results = map(tree_leaves, (ours, plain, reference(*exact(args))))
    for our, theirs, exactly in zip(*results, strict=True):
        assert_as_good_as_torch(our, theirs.to(our.dtype), exactly)


def assert_same_format(x: Tensor, *results: Tensor) -> None:
    """Results are dense, in channels_last if (and only if) ``x`` is."""
    for y in results:
        if x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous():
            assert y.is_contiguous(memory_format=torch.channels_last)
        else:
            assert y.is_contiguous()


def assert_refuses(error: type[Exception], words: str, call: Callable, *args, **kwargs) -> None:
    """``call`` raises ``error`` with ``words``, and with no word that means "out of memory"."""
    with pytest.raises(error) as caught:
        call(*args, **kwargs)
    text = str(caught.value)
    assert words in text
    assert "cuda" not in text.lower() and "allocate" not in text.lower()


def assert_gradients(op: Callable, reference: Callable, args: tuple) -> None:
    """First and second derivatives are right, and the first equal those of ``reference``."""
    leaves = [leaf for leaf in tree_leaves(args) if isinstance(leaf, Tensor) and leaf.requires_grad]
    ours, plain = (
        torch.autograd.grad([y.sin().sum() for y in tree_leaves(f(*args))], leaves)
        for f in (op, reference)
    )
    for our, torchs in zip(ours, plain, strict=True):
        torch.testing.assert_close(our, torchs, rtol=1e-12, atol=1e-12)

    def of_leaves(*values):
        values = iter(values)
        return op(*tree_map(lambda leaf: next(values) if needs_grad(leaf) else leaf, args))

    def needs_grad(leaf: object) -> bool:
        return isinstance(leaf, Tensor) and leaf.requires_grad

    assert torch.autograd.gradcheck(of_leaves, leaves, fast_mode=True)
    assert torch.autograd.gradgradcheck(of_leaves, leaves, fast_mode=True)
