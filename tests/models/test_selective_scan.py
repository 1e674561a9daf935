"""The selective scan, against the recurrence written out token by token."""

import pytest
import torch

from esr_kernels.models.blocks import selective_scan
from esr_kernels.models.blocks.selective_scan import CHUNK, SEGMENTS

LENGTHS = [1, 2, SEGMENTS - 1, SEGMENTS, SEGMENTS + 1, 2 * SEGMENTS - 1, 2 * SEGMENTS + 1, 331]


def literal(c, delta, A, B, K, D):
    h = c.new_zeros(c.shape[0], *A.shape)
    o = []
    for token in range(c.shape[1]):
        step = delta[:, token, :, None]
        h = torch.exp(step * A) * h + step * B[:, token, None] * c[:, token, :, None]
        o.append((h * K[:, token, None]).sum(-1) + D * c[:, token])
    return torch.stack(o, 1)


def arguments(length, *, slowest=1e-6, fastest=1e4, inner=5, states=3):
    """c, delta, A, B, K, D with decays per token from exp(-slowest) to exp(-fastest)."""
    draw = torch.Generator().manual_seed(length)

    def normal(*shape):
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    def spread(low, high, *shape):
        exponents = torch.rand(*shape, generator=draw, dtype=torch.float64)
        return low * (high / low) ** exponents

    c, B, K = normal(2, length, inner), normal(2, length, states), normal(2, length, states)
    delta = spread(slowest, fastest / 100, 2, length, inner)
    return c, delta, -spread(1, 100, inner, states), B, K, normal(inner)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("slowest", "fastest"), [(1e-6, 1e4), (1e-6, 1e-3), (10, 1e6)])
def test_the_literal_recurrence(length, slowest, fastest):
    x = arguments(length, slowest=slowest, fastest=fastest)
    expected = literal(*x)
    assert (selective_scan(*x) - expected).abs().max() <= 1e-12 * expected.abs().max()


@pytest.mark.parametrize("length", [CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 33])
def test_the_state_goes_on_from_chunk_to_chunk(length):
    x = arguments(length, slowest=1e-8, fastest=1e-2)
    expected = literal(*x)
    assert (selective_scan(*x) - expected).abs().max() <= 1e-12 * expected.abs().max()


@pytest.mark.parametrize("length", [SEGMENTS + 1, 331])
def test_float32_is_as_good_as_the_recurrence(length, tolerance):
    x = arguments(length)
    rounded = [tensor.float() for tensor in x]
    exact = literal(*(tensor.double() for tensor in rounded))
    tolerance(selective_scan(*rounded), literal(*rounded), exact)


def test_without_decay_it_is_a_running_sum():
    c, delta, A, B, K, D = arguments(100, fastest=1)
    sums = torch.einsum("nls,nles->nle", K, (delta * c).unsqueeze(3).mul(B.unsqueeze(2)).cumsum(1))
    assert (selective_scan(c, delta, 0 * A, B, K, 0 * D) - sums).abs().max() <= 1e-12


@pytest.mark.parametrize("length", [1, 2 * SEGMENTS + 1])
def test_gradients(length):
    ours, theirs = ([x.requires_grad_() for x in arguments(length)] for _ in range(2))
    selective_scan(*ours).square().sum().backward()
    literal(*theirs).square().sum().backward()
    for x, y in zip(ours, theirs, strict=True):
        assert (x.grad - y.grad).abs().max() <= 1e-11 * y.grad.abs().max()


def test_a_graph_has_it_as_one_node():
    c, _, A, _, K, D = arguments(9)
    traced = torch.fx.symbolic_trace(lambda c, K: selective_scan(c, c.abs(), A, K, K, D))
    assert [node.target for node in traced.graph.nodes].count(selective_scan) == 1
    assert torch.equal(traced(c, K), selective_scan(c, c.abs(), A, K, K, D))
