"""``selective_scan``: one program for each channel of a sequence, a block of tokens at a time.

Within a block the recurrence is an associative scan of pairs (decay, value): a program takes a few
steps for all of its tokens, where a loop would wait for memory at every one. From block to block it
is a loop. A program has one channel, since a network has no more channels than a GPU can work on at
the same time.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..launch import Config, Launch
from ..tile import rounded

# Tokens stand for a row of pixels. With twice as many of them, or half the warps, the compiler puts
# twice as many barriers into a step.
_CONFIG = Config(block_h=1, block_w=128, num_warps=8, num_stages=1)


@triton.jit
def compose(decay, value, later_decay, later_value):
    """Two steps ``h -> decay h + value``, one after the other, as one."""
    return decay * later_decay, later_decay * value + later_value


@triton.jit
def token_offsets(n, token, strides):
    return tl.cast(n, tl.int64) * strides[0] + tl.cast(token, tl.int64) * strides[1]


@triton.jit
def load_channel(x, n, token, channel, strides, inside):
    """One number of each token; zero beyond the end, where nothing decays and nothing is added."""
    offsets = token_offsets(n, token, strides) + tl.cast(channel, tl.int64) * strides[2]
    return tl.load(x + offsets, mask=inside, other=0.0).to(tl.float32)


@triton.jit
def load_states(x, n, token, state, strides, kept):
    """``[tokens, states]``."""
    offsets = token_offsets(n, token, strides)[:, None] + state[None, :] * strides[2]
    return tl.load(x + offsets, mask=kept, other=0.0).to(tl.float32)


@triton.jit
def scan_kernel(
    out, out_strides, c, c_strides, delta, delta_strides, A, B, B_strides, K, K_strides, D, length,
    CHANNELS: tl.constexpr, STATES: tl.constexpr, BLOCK_S: tl.constexpr, TOKENS: tl.constexpr,
):  # fmt: skip
    n = tl.program_id(0) // CHANNELS
    channel = tl.program_id(0) % CHANNELS
    state = tl.arange(0, BLOCK_S)
    exists = state < STATES
    rate = tl.load(A + channel * STATES + state, mask=exists, other=0.0).to(tl.float32)
    rate *= 1.4426950408889634  # log2(e)
    skip = tl.load(D + channel).to(tl.float32)
    last = tl.arange(0, TOKENS) == TOKENS - 1
    h = tl.zeros((BLOCK_S,), tl.float32)
    for start in range(0, length, TOKENS):
        token = start + tl.arange(0, TOKENS)
        inside = token < length
        x = load_channel(c, n, token, channel, c_strides, inside)
        d = load_channel(delta, n, token, channel, delta_strides, inside)
        b = load_states(B, n, token, state, B_strides, inside[:, None] & exists[None, :])
        k = load_states(K, n, token, state, K_strides, inside[:, None] & exists[None, :])
        decay = tl.exp2(d[:, None] * rate[None, :])
        decay, value = tl.associative_scan((decay, (d * x)[:, None] * b), 0, compose)
        states = decay * h[None, :] + value
        o = tl.sum(states * k, 1) + skip * x
        offsets = token_offsets(n, token, out_strides) + channel
        tl.store(out + offsets, rounded(o, out.dtype.element_ty), mask=inside)
        h = tl.sum(tl.where(last[:, None], states, 0.0), 0)


def selective_scan(c, delta, A, B, K, D) -> Tensor:
    out = torch.empty(c.shape, dtype=c.dtype, device=c.device)
    scan_launch(out, c, delta, A, B, K, D).run()
    return out


def scan_launch(
    out: Tensor, c: Tensor, delta: Tensor, A: Tensor, B: Tensor, K: Tensor, D: Tensor
) -> Launch:
    """Writes the whole op into ``out``, which is contiguous."""
    n, length, channels = c.shape
    states = A.shape[1]
    args = (
        *(out, out.stride(), c, c.stride(), delta, delta.stride(), A.contiguous()),
        *(B, B.stride(), K, K.stride(), D.contiguous(), length),
    )
    constants = {
        "CHANNELS": channels,
        "STATES": states,
        "BLOCK_S": triton.next_power_of_2(states),
        "TOKENS": _CONFIG.block_w,
    }
    return Launch(scan_kernel, n * channels, args, constants, _CONFIG)
