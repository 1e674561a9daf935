"""Overlap in memory between ``out=`` and the other arguments."""

from __future__ import annotations

from torch import Tensor


def check(out: Tensor, args: tuple) -> None:
    """``out`` may share no memory with any tensor in ``args``, nor its elements with each other."""
    if any(step == 0 and size > 1 for step, size in zip(out.stride(), out.shape, strict=True)):
        raise ValueError("out is expanded: several elements share one place; use .contiguous()")
    for arg in args:
        for x in arg if isinstance(arg, (list, tuple)) else (arg,):
            if isinstance(x, Tensor) and not apart(out, x):
                raise ValueError(
                    f"out shares memory with an argument of shape {list(x.shape)}; "
                    f"write to a tensor of its own"
                )


def apart(out: Tensor, x: Tensor) -> bool:
    """Return true if no element is in both; channel slices of one tensor are told apart.

    Like torch, this compares storages first: tensors of different storages count as apart.
    """
    if x.untyped_storage().data_ptr() != out.untyped_storage().data_ptr():
        return True
    offset = int(x.storage_offset() - out.storage_offset())
    if offset + _extent(x) < 0 or offset > _extent(out):
        return True
    return _channels_apart(out, x, offset)


def _extent(x: Tensor) -> int:
    """From the first element of ``x`` to its last, in elements."""
    return sum((size - 1) * step for size, step in zip(x.shape, x.stride(), strict=True))


def _channels_apart(a: Tensor, b: Tensor, offset: int) -> bool:
    """Return true if ``a`` and ``b``, ``offset`` later, are separate channels of one tensor."""
    same_places = a.shape[0] == b.shape[0] and a.shape[2:] == b.shape[2:]
    if not same_places or a.stride() != b.stride() or a.stride(1) == 0:
        return False
    n_step, channel_step, h_step, w_step = a.stride()
    shift, rest = divmod(offset, channel_step)
    if rest or -b.shape[1] < shift < a.shape[1]:
        return False
    # The channels of both, and those between them, have to fit into one step of the dimensions
    # outside them, and all pixels inside one step of a channel: else the views wrap around.
    channels = max(a.shape[1], shift + b.shape[1]) - min(0, shift)
    steps = (n_step, a.shape[0]), (h_step, a.shape[2]), (w_step, a.shape[3])
    inner = sum((size - 1) * step for step, size in steps if step < channel_step)
    outer = [step for step, size in steps if step >= channel_step and size > 1]
    return inner < channel_step and all(channels * channel_step <= step for step in outer)
