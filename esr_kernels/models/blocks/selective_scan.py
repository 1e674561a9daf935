"""The selective scan: a linear recurrence along a sequence, computed in parallel segments."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

# With DVMSR's 1920 numbers of state, a step of all segments is long enough to hide what a call of
# torch costs, and its tensors still fit a core's cache.
SEGMENTS = 32
CHUNK = 512 * SEGMENTS  # tokens at a time: more would only cost memory


def selective_scan(c: Tensor, delta: Tensor, A: Tensor, B: Tensor, K: Tensor, D: Tensor) -> Tensor:
    """``o[l, e] = sum_s K[l, s] h[l, e, s] + D[e] c[l, e]`` with the state
    ``h[l, e, s] = exp(delta[l, e] A[e, s]) h[l-1, e, s] + delta[l, e] B[l, s] c[l, e]``, h[-1] = 0.

    ``c``, ``delta``: ``[N, L, E]``; ``A``: ``[E, S]``; ``B``, ``K``: ``[N, L, S]``; ``D``: ``[E]``;
    the result ``[N, L, E]``. ``delta >= 0 >= A``, so that a decay is at most 1. Differentiable.

    Each chunk of the sequence is cut into segments that advance together, a token at a time: once
    from a zero state for what each of them adds to its last state, and again from the right first
    state for the output. No more than a few times ``N * SEGMENTS * E * S`` numbers of state are
    held at a time. Decays only multiply, at worst to 0: nothing is divided by one and nothing
    overflows.

    ``torch.fx`` records a call as one node: the number of steps depends on the length.

    Source: Gu and Dao, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces", 2023,
    algorithm 2 with the first-order product for B.
    """
    arguments = (c, delta, A, B, K, D)
    if has_torch_function(arguments):
        return handle_torch_function(selective_scan, arguments, *arguments)
    # exp2 takes as long for any number; exp is far slower where the result underflows.
    rate = (A * math.log2(math.e)).T.contiguous()
    h = c.new_zeros(c.shape[0], *rate.shape)
    chunks = zip(*(x.split(CHUNK, 1) for x in (delta, delta * c, B, K)), strict=True)
    parts = []
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
    for k, *token in zip(K.unsqueeze(3).unbind(2), *tokens, strict=True):
        state = _advance(state, rate, *token)
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
