"""Queries, keys and values of attention with several heads, from one linear layer."""

from torch import Tensor


def split_heads(qkv: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Split ``[..., L, 3 * heads * C]`` into ``q, k, v``, each ``[..., heads, L, C]``.

    The channels are those of q, of k, then of v, in each of them head by head.
    """
    return qkv.unflatten(-1, (3, heads, -1)).movedim(-3, 0).transpose(-3, -2).unbind(0)


def merge_heads(x: Tensor) -> Tensor:
    """Merge ``[..., heads, L, C]`` into ``[..., L, heads * C]``, head by head."""
    return x.transpose(-3, -2).flatten(-2)
