"""``selective_scan``, Mamba's recurrence: its formula token by token, then every backend."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from operands import (
    DTYPES,
    assert_gradients,
    assert_matches,
    assert_refuses,
    exact,
    transposed,
)

from esr_kernels import ops
from esr_kernels.ops.selective_scan import CHUNK, SEGMENTS, reference

OP = torch.ops.esr_kernels.selective_scan
LENGTHS = [1, 2, SEGMENTS - 1, SEGMENTS, SEGMENTS + 1, 2 * SEGMENTS - 1, 2 * SEGMENTS + 1, 331]
#: Decays of a token: of all kinds, hardly any, hardly anything left.
DECAYS = [(1e-6, 1e4), (1e-6, 1e-3), (10, 1e6)]


def literal(c, delta, A, B, K, D):
    """The recurrence as the docstring puts it."""
    h = c.new_zeros(c.shape[0], *A.shape)
    o = []
    for token in range(c.shape[1]):
        step = delta[:, token, :, None]
        h = torch.exp(step * A) * h + step * B[:, token, None] * c[:, token, :, None]
        o.append((h * K[:, token, None]).sum(-1) + D * c[:, token])
    return torch.stack(o, 1)


def arguments(length, *, n=2, channels=5, states=3, slowest=1e-6, fastest=1e4, dtype=torch.float64):
    """The schema arguments, with decays of a token from exp(-slowest) to exp(-fastest)."""
    draw = torch.Generator().manual_seed(length)

    def normal(*shape):
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    def spread(low, high, *shape):
        exponents = torch.rand(*shape, generator=draw, dtype=torch.float64)
        return low * (high / low) ** exponents

    c = normal(n, length, channels)
    B, K = normal(n, length, states), normal(n, length, states)
    delta = spread(slowest, fastest / 100, n, length, channels)
    args = c, delta, -spread(1, 100, channels, states), B, K, normal(channels)
    return tuple(x.to(dtype) for x in args)


#: As in a network: a state remembers some tens of tokens.
usual = partial(arguments, slowest=1e-3, fastest=20, dtype=torch.float32)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("slowest", "fastest"), DECAYS)
def test_reference_is_the_recurrence(length, slowest, fastest):
    args = arguments(length, slowest=slowest, fastest=fastest)
    expected = literal(*args)
    assert (reference(*args) - expected).abs().max() <= 1e-12 * expected.abs().max()


@pytest.mark.parametrize("length", [CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 33])
def test_the_state_of_the_reference_goes_on_from_chunk_to_chunk(length):
    args = arguments(length, slowest=1e-8, fastest=1e-2)
    expected = literal(*args)
    assert (reference(*args) - expected).abs().max() <= 1e-12 * expected.abs().max()


@pytest.mark.parametrize("length", LENGTHS[1:])
@pytest.mark.parametrize(("slowest", "fastest"), DECAYS)
@pytest.mark.parametrize("function", [reference, OP])
def test_float32_is_as_good_as_the_recurrence(function, length, slowest, fastest, tolerance):
    args = arguments(length, slowest=slowest, fastest=fastest, dtype=torch.float32)
    tolerance(function(*args), literal(*args), literal(*exact(args)))


def test_a_graph_has_the_reference_as_one_node():
    c, _, A, _, K, D = arguments(9)
    traced = torch.fx.symbolic_trace(lambda c, K: reference(c, c.abs(), A, K, K, D))
    assert [node.target for node in traced.graph.nodes].count(reference) == 1
    assert torch.equal(traced(c, K), reference(c, c.abs(), A, K, K, D))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("length", [1, 7, 63, 64, 65, 1000])
def test_lengths(length, dtype):
    for n, channels in [(1, 120), (3, 13)]:
        args = usual(length, n=n, channels=channels, states=16, dtype=dtype)
        assert_matches(OP(*args), reference, args)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("states", [1, 3, 8, 16, 17, 33])
def test_channels_and_states(states, dtype):
    for channels in (1, 3, 16, 26, 46, 120):
        args = usual(37, channels=channels, states=states, dtype=dtype)
        assert_matches(OP(*args), reference, args)


def test_without_decay_it_is_a_running_sum():
    c, delta, A, B, K, D = arguments(100, fastest=1, dtype=torch.float32)
    sums = (delta * c).unsqueeze(3).mul(B.unsqueeze(2)).double().cumsum(1)
    read = torch.einsum("nls,nles->nle", K.double(), sums)
    for function in (reference, OP):
        ours = function(c, delta, 0 * A, B, K, 0 * D)
        assert (ours - read).abs().max() <= 1e-5 * read.abs().max()


def test_decays_that_grow():
    """Rates above 0 are allowed; what no float can hold is not finite, as in torch."""
    c, delta, A, B, K, D = usual(9)
    args = c, delta, -A / 10, B, K, D
    assert_matches(OP(*args), reference, args)
    for function in (reference, OP):
        assert not function(c, 0 * delta + 200, 0 * A + 1, B, K, D)[:, 2:].isfinite().any()


def amid_nan(x):
    """Some numbers of some tokens of a longer sequence that is NaN otherwise."""
    wide = x.new_full((x.shape[0] + 1, x.shape[1] + 3, x.shape[2] + 7), torch.nan)
    return wide[:-1, 1:-2, 3:-4].copy_(x)


def every_second(x):
    return x.new_full((x.shape[0], 2 * x.shape[1], 2 * x.shape[2]), torch.nan)[:, ::2, ::2].copy_(x)


def expanded(x):
    return x[:1].expand_as(x)


LAYOUTS = [torch.clone, transposed, amid_nan, every_second, expanded]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_strided(layout, dtype):
    c, delta, A, B, K, D = usual(70, n=2, channels=19, dtype=dtype)
    weights = A.T.contiguous().T, B, K, D.repeat_interleave(2)[::2]
    for args in [
        (layout(c), layout(delta), weights[0], layout(B), layout(K), weights[3]),
        (layout(c), delta, A, B, layout(K), D),
    ]:
        ours = OP(*args)
        assert ours.is_contiguous()
        assert_matches(ours, reference, args)


def test_results_are_fresh_and_arguments_stay():
    args = usual(40)
    before = [x.clone() for x in args]
    first, second = OP(*args), OP(*args)
    first.zero_()
    assert second.abs().max() > 0
    assert all(torch.equal(x, old) for x, old in zip(args, before, strict=True))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_change_nothing(threads):
    args = usual(100, n=2, channels=40)
    expected = OP(*args)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert torch.equal(OP(*args), expected)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("spoilt", range(6))
def test_nan_is_not_hidden(spoilt):
    args = usual(70, channels=20)
    args[spoilt].view(-1)[args[spoilt].numel() // 2] = torch.nan
    ours, plain = OP(*args), reference(*args)
    assert plain.isnan().any() and torch.equal(ours.isnan(), plain.isnan())


def test_reference_backend(monkeypatch):
    args = usual(70)
    monkeypatch.setenv("ESR_KERNELS_BACKEND", "reference")
    assert torch.equal(OP(*args), reference(*args))


@pytest.mark.parametrize("layout", [torch.clone, transposed, amid_nan])
def test_opcheck(layout):
    c, delta, A, B, K, D = usual(5)
    args = layout(c).requires_grad_(), layout(delta), A.requires_grad_(), B, K, D
    torch.library.opcheck(OP.default, args)


@pytest.mark.parametrize("length", [1, 2 * SEGMENTS + 1])
def test_gradients(length):
    args = tuple(x.requires_grad_() for x in arguments(length, fastest=20))
    assert_gradients(OP, reference, args)
    ours, theirs = (torch.autograd.grad(f(*args).square().sum(), args) for f in (OP, literal))
    for x, y in zip(ours, theirs, strict=True):
        assert (x - y).abs().max() <= 1e-11 * y.abs().max()


def test_compile():
    def network(c, *rest):
        return ops.selective_scan(ops.selective_scan(c, *rest).tanh(), *rest)

    compiled = torch.compile(network, fullgraph=True, backend="aot_eager")
    for length in (7, 40, 70):
        args = usual(length)
        assert torch.equal(compiled(*args), network(*args))


def test_shapes_of_a_long_sequence_cost_nothing():
    tokens, states = (1, 10**9, 120), (1, 10**9, 16)
    shapes = tokens, tokens, (120, 16), states, states, (120,)
    assert OP(*(torch.empty(shape, device="meta") for shape in shapes)).shape == tokens


@pytest.mark.parametrize(
    ("error", "words", "position", "value"),
    [
        (TypeError, "c must be a torch.Tensor, not list", 0, [1.0]),
        (TypeError, "D must be a torch.Tensor, not NoneType", 5, None),
        (TypeError, "c is int64; use float32", 0, torch.ones(2, 7, 5).long()),
        (TypeError, "B is float64 but c is float32", 3, torch.ones(2, 7, 3).double()),
        (ValueError, "expected [N, L, E]; add the batch with c.unsqueeze(0)", 0, torch.rand(7, 5)),
        (ValueError, "c is empty: its shape is [2, 0, 5]", 0, torch.rand(2, 0, 5)),
        (ValueError, "delta has shape [2, 6, 5], expected [2, 7, 5]", 1, torch.rand(2, 6, 5)),
        (ValueError, "A has shape [3, 5], expected [5, S]", 2, torch.rand(3, 5)),
        (ValueError, "A has shape [5, 0], expected [5, S], 1 or more", 2, torch.rand(5, 0)),
        (ValueError, "A has shape [5], expected [5, S]", 2, torch.rand(5)),
        (ValueError, "B has shape [1, 7, 3], expected [2, 7, 3]", 3, torch.rand(1, 7, 3)),
        (ValueError, "K has shape [2, 7, 4], expected [2, 7, 3]", 4, torch.rand(2, 7, 4)),
        (ValueError, "D has shape [1], expected [5] (the channels of c)", 5, torch.rand(1)),
        (ValueError, "A and c are on different devices", 2, torch.rand(5, 3).to("meta")),
    ],
)
def test_bad_input(error, words, position, value):
    args = list(usual(7))
    args[position] = value
    assert_refuses(error, words, ops.selective_scan, *args)
