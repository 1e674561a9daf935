"""``selective_scan`` as DVMSR has it, beside its formula in plain torch and token by token."""

import torch
import torch.nn.functional as F
from torch import Tensor

from esr_kernels.benchmark.contest import OURS, Implementation
from esr_kernels.benchmark.problem import Problem, op_problem
from esr_kernels.benchmark.torch_ways import eager, ours
from esr_kernels.ops.selective_scan import reference

INNER, STATES = 120, 16  # DVMSR's


def token_by_token(problem: Problem, threads: int) -> Implementation:
    (c, delta, B, K), (A, D) = problem.inputs, problem.module.weights

    def call() -> Tensor:
        h = c.new_zeros(c.shape[0], *A.shape)
        o = []
        for token in range(c.shape[1]):
            step = delta[:, token, :, None]
            h = torch.exp(step * A) * h + step * B[:, token, None] * c[:, token, :, None]
            o.append((h @ K[:, token, :, None]).squeeze(2))
        return torch.stack(o, 1) + D * c

    return Implementation(call)


def test_selective_scan(contest):
    def bind(function):
        return lambda xs, A, D: function(xs[0], xs[1], A, xs[2], xs[3], D)

    draw = torch.Generator().manual_seed(0)
    sizes = (INNER, INNER, STATES, STATES)
    c, wish, B, K = (torch.randn(1, 128 * 128, size, generator=draw) for size in sizes)
    weights = -torch.arange(1.0, STATES + 1).repeat(INNER, 1), torch.ones(INNER)
    problem = op_problem(
        f"{INNER} x {STATES} states, 128x128 tokens",
        bind,
        (reference, torch.ops.esr_kernels.selective_scan.default),
        (c, F.softplus(wish - 3), B, K),
        weights,
    )
    ways = {OURS: ours, "eager": eager, "token by token": token_by_token}
    contest("selective_scan", problem, ways)
