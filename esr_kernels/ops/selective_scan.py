"""``selective_scan``: a linear recurrence along a sequence, Mamba's memory.

A call of torch for every token would take far longer than what it computes; in plain torch,
segments of the sequence advance together.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from ..op import Draw
from . import _check
from ._define import define

# With DVMSR's 1920 numbers of state, a step of all segments is long enough to hide what a call of
# torch costs, and its tensors still fit a core's cache.
SEGMENTS = 32
CHUNK = 512 * SEGMENTS  # tokens at a time: more would only cost memory


def reference(c: Tensor, delta: Tensor, A: Tensor, B: Tensor, K: Tensor, D: Tensor) -> Tensor:
    """The op in plain torch; see :func:`selective_scan`.

    Each chunk of the sequence is cut into segments that advance together, a token at a time: once
    from a zero state for what each of them adds to its last state, and again from the right first
    state for the output. No more than a few times ``N * SEGMENTS * E * S`` numbers of state are
    held at a time. Decays only multiply, at worst to 0: nothing is divided by one and nothing
    overflows.

    ``torch.fx`` records a call as one node: the number of steps depends on the length.
    """
    arguments = (c, delta, A, B, K, D)
    if has_torch_function(arguments):
        return handle_torch_function(reference, arguments, *arguments)
    # exp2 takes as long for any number; exp is far slower where the result underflows.
    rate = (A * math.log2(math.e)).T.contiguous()
    h = c.new_zeros(c.shape[0], *rate.shape)
    chunks = zip(*(x.split(CHUNK, 1) for x in (delta, delta * c, B, K)), strict=True)
    parts: list[Tensor] = []
    for chunk in chunks:
        o, h = _scan(h, rate, *chunk)
        parts.append(o)
    return torch.cat(parts, 1) + D * c


def _scan(
    h: Tensor, rate: Tensor, delta: Tensor, u: Tensor, B: Tensor, K: Tensor
) -> tuple[Tensor, Tensor]:
    """Output of a chunk without the skip, and the state ``[N, S, E]`` after it; ``h``: before."""
    length = delta.shape[1]
    delta, u, B, K = (_cut(x, -(-length // SEGMENTS)) for x in (delta, u, B, K))
    tokens = [x.unbind(2) for x in (delta.unsqueeze(3), u.unsqueeze(3), B.unsqueeze(4))]
    state = h.new_zeros(h.shape[0], SEGMENTS, *rate.shape)
    for token in zip(*tokens, strict=True):
        state = _advance(state, rate, *token)
    decay = torch.exp2(delta.sum(2).unsqueeze(2) * rate)
    state, h = _first_states(h, state, decay)
    o = []
    for k, delta_t, u_t, B_t in zip(K.unsqueeze(3).unbind(2), *tokens, strict=True):
        state = _advance(state, rate, delta_t, u_t, B_t)
        o.append(k @ state)
    return torch.cat(o, 2).flatten(1, 2)[:, :length], h


def _cut(x: Tensor, step: int) -> Tensor:
    """``[N, L, F] -> [N, SEGMENTS, step, F]``, with zeros at the end, which leave states alone."""
    missing = SEGMENTS * step - x.shape[1]
    return F.pad(x, (0, 0, 0, missing)).unflatten(1, (SEGMENTS, step))


def _advance(h: Tensor, rate: Tensor, delta: Tensor, u: Tensor, B: Tensor) -> Tensor:
    """The states ``[N, SEGMENTS, S, E]`` of all segments, one token on."""
    return torch.addcmul(torch.exp2(delta * rate) * h, u, B)


def _first_states(h: Tensor, last: Tensor, decay: Tensor) -> tuple[Tensor, Tensor]:
    """First states of all segments and the state after them, from the state ``h`` before them,
    their last states when they begin with zero, and what is left of a state after each."""
    first = []
    for last_k, decay_k in zip(last.unbind(1), decay.unbind(1), strict=True):
        first.append(h)
        h = torch.addcmul(last_k, decay_k, h)
    return torch.stack(first, 1), h


def _check_args(c, delta, A, B, K, D) -> None:
    _check.sequence("c", c)
    _check.alike(c, "c", delta=delta, A=A, B=B, K=K, D=D)
    n, length, channels = c.shape
    if A.dim() != 2 or A.shape[0] != channels or A.shape[1] == 0:
        raise ValueError(
            f"A has shape {list(A.shape)}, expected [{channels}, S], 1 or more states for each "
            f"channel of c"
        )
    _check.shape("delta", delta, (n, length, channels), "that of c")
    for name, x in (("B", B), ("K", K)):
        _check.shape(name, x, (n, length, A.shape[1]), "N and L of c, and the states of A")
    _check.shape("D", D, (channels,), "the channels of c")


def _fake(c, *_) -> Tensor:
    return torch.empty_like(c)


def _flops(c, delta, A, *_) -> int:
    n, length, channels = c
    return 2 * n * length * channels * A[1]


def _detail(c, delta, A, *_) -> str:
    return f"{A[0]} channels, {A[1]} states each"


def _examples(draw: Draw) -> list[tuple]:
    tokens, states = (2, 19, 37), (2, 19, 5)
    delta, A = draw(*tokens) + 0.5, -1 - 4 * (draw(37, 5) + 0.5)
    return [(draw(*tokens), delta, A, draw(*states), draw(*states), draw(37))]


SELECTIVE_SCAN = define(
    "selective_scan(Tensor c, Tensor delta, Tensor A, Tensor B, Tensor K, Tensor D) -> Tensor",
    check=_check_args,
    reference=reference,
    fake=_fake,
    flops=_flops,
    activations=("c", "delta", "B", "K"),
    reach=lambda *_: None,  # a sequence, no picture
    detail=_detail,
    examples=_examples,
)


def selective_scan(
    c: Tensor,  # [N, L, E]
    delta: Tensor,  # [N, L, E]
    A: Tensor,  # [E, S]
    B: Tensor,  # [N, L, S]
    K: Tensor,  # [N, L, S]
    D: Tensor,  # [E]
) -> Tensor:  # [N, L, E]
    """Selective scan: ``o[l, e] = sum_s K[l, s] h[l, e, s] + D[e] c[l, e]`` with the state
    ``h[l, e, s] = exp(delta[l, e] A[e, s]) h[l-1, e, s] + delta[l, e] B[l, s] c[l, e]``, h[-1] = 0.

    A token is a place of the sequence, ``l``; every channel ``e`` has ``S`` numbers of state. From
    "Mamba: Linear-Time Sequence Modeling with Selective State Spaces" (arXiv 2312.00752), algorithm
    2 with the first-order product for B; K is C there. DVMSR, team 07 in the NTIRE 2024 report on
    efficient super-resolution (arXiv 2404.10343), scans the pixels row by row.

    Args:
        c: float32, float16, bfloat16 or float64; of any strides.
        delta: at least 0, so that with ``A`` at most 0 a decay is at most 1. Decays above 1 are
            computed too, until they overflow.
        A, B, K, D: like ``delta`` of the dtype and on the device of ``c``.

    Returns:
        A fresh contiguous tensor of the dtype of ``c``. FLOPs are counted as in torch, which sees
        products of matrices only: the sum over ``s``.

    Raises:
        TypeError: an argument is no tensor, or dtypes differ or are not floating.
        ValueError: shapes do not fit, an empty tensor, or devices differ.
    """
    _check.tensors(c=c, delta=delta, A=A, B=B, K=K, D=D)
    return SELECTIVE_SCAN(c, delta, A, B, K, D)
