"""``selective_scan`` in segments, beside the same recurrence token by token."""

import torch
import torch.nn.functional as F
from torch import Tensor

from esr_kernels.bench.contest import OURS
from esr_kernels.bench.problem import op_problem
from esr_kernels.bench.torch_ways import eager, ours
from esr_kernels.models.blocks import selective_scan

INNER, STATES = 120, 16  # DVMSR's


def token_by_token(c: Tensor, delta: Tensor, A: Tensor, B: Tensor, K: Tensor, D: Tensor) -> Tensor:
    h = c.new_zeros(c.shape[0], *A.shape)
    o = []
    for token in range(c.shape[1]):
        step = delta[:, token, :, None]
        h = torch.exp(step * A) * h + step * B[:, token, None] * c[:, token, :, None]
        o.append((h @ K[:, token, :, None]).squeeze(2))
    return torch.stack(o, 1) + D * c


def test_selective_scan(contest):
    def bind(function):
        return lambda xs, A, D: function(xs[0], xs[1], A, xs[2], xs[3], D)

    draw = torch.Generator().manual_seed(0)
    sizes = (INNER, INNER, STATES, STATES)
    c, wish, B, K = (torch.randn(1, 128 * 128, size, generator=draw) for size in sizes)
    weights = -torch.arange(1.0, STATES + 1).repeat(INNER, 1), torch.ones(INNER)
    problem = op_problem(
        "120 x 16 states, 128x128 tokens",
        bind,
        (token_by_token, selective_scan),
        (c, F.softplus(wish - 3), B, K),
        weights,
    )
    contest("selective_scan", problem, {OURS: ours, "token by token": eager})
