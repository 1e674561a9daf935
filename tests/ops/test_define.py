"""What every op gets from its declaration: backend, shape rule, autocast, FLOP count, ``out=``."""

from __future__ import annotations

import copy
import itertools
import pickle

import pytest
import torch
from images import image
from operands import channels_last, conv_weights, transposed
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.flop_counter import FlopCounterMode

from esr_kernels import ops
from esr_kernels.backends import Choice
from esr_kernels.ops._memory import apart
from esr_kernels.ops.selective_scan import SEGMENTS


def arguments():
    """One set of schema arguments for every op, with 16x19 pixels or some whole segments."""
    x = image(2, 6, 16, 19)
    same, narrow, back = conv_weights(6, 6), conv_weights(4, 6, 1), conv_weights(6, 4, 1)
    inner, inner1, tail = conv_weights(4, 4), conv_weights(4, 4, 1), conv_weights(12, 6)
    tokens, states = (image(1, 2, 2 * SEGMENTS, size)[0] for size in (6, 4))
    return {
        "conv_act": ([x], *same, "silu", 0.05, x),
        "spab": (x, *same, *same, *same),
        "esa": (x, *narrow, *inner1, *inner, *inner, *back),
        "conv3x3_pixel_shuffle": (x, *tail, 2, x[:, :3]),
        "depthwise_act": (
            *(x, *conv_weights(6, 1), "relu", 0.0, None, *conv_weights(6, 6, 1)),
            *(1, "zeros"),
        ),
        "strided_conv": (x, *same, 1),
        "direct_conv_act": ([x], *conv_weights(4, 3, 5), "relu", 0.0, None, 1, 2),
        "channel_join": ([x, x[:, :2]],),
        "channel_part": (x, 1, 3),
        "resample": (x[..., :5, :7], x, 1, "bilinear"),
        "statistic": (x, "std", 0),
        "window_max": (x, 3, 2, 1),
        "window_variance": (x, 4, 2, 1),
        "channel_norm": (x, same[1], same[1], 1e-6, "rms"),
        "elementwise": ([x, x[:, :1]], "silu(x0); mul(t0, c0); add(t1, x1)", [same[1]]),
        "selective_scan": (tokens, tokens, -states[0, :6], states, states, tokens[0, 0]),
    }


OPS = {op.name: op for op in ops.OPS}
BESIDE = {
    "elementwise",
    "channel_norm",
    "channel_part",
    "resample",
    "statistic",
    "window_max",
    "window_variance",
    "channel_join",
}


@pytest.mark.parametrize("name", OPS)
def test_the_chosen_backend_runs_on_the_schema_arguments(name, monkeypatch):
    op, args = OPS[name], arguments()[name]
    seen = []

    def choose(*question):
        seen.append(question)
        return Choice("stand-in", lambda *given: tree_map(torch.neg, op.reference(*given)), ())

    monkeypatch.setattr("esr_kernels.ops._define.choose", choose)
    ours = tree_leaves(op(*args))
    assert seen == [(op, torch.device("cpu"), torch.float32)]
    for our, plain in zip(ours, tree_leaves(op.reference(*args)), strict=True):
        assert torch.equal(our, -plain)


def test_the_chosen_backend_writes_into_out(monkeypatch):
    def run(*args, out):
        out.fill_(3)

    monkeypatch.setattr("esr_kernels.ops._define.choose", lambda *_: Choice("stand-in", run, ()))
    (x,), weight, bias, *_ = arguments()["conv_act"]
    out = torch.zeros(2, 6, 16, 19)
    assert ops.conv_act(x, weight, bias, out=out) is out
    assert (out == 3).all()


@pytest.mark.parametrize("name", OPS)
def test_copies_of_an_op_are_the_op(name):
    holder = {"op": OPS[name]}
    assert copy.deepcopy(holder) == pickle.loads(pickle.dumps(holder)) == holder


@pytest.mark.parametrize("name", OPS)
def test_flops_are_those_of_the_reference(name):
    op, args = OPS[name], arguments()[name]
    counts = []
    for function in (op, op.reference):
        with FlopCounterMode(display=False) as counter:
            function(*args)
        counts.append(counter.get_total_flops())
    assert counts[0] == counts[1]
    # torch counts products and convolutions only.
    assert counts[0] > 0 or name in BESIDE


def test_flops_of_out():
    args = arguments()["conv_act"]
    with FlopCounterMode(display=False) as counter:
        torch.ops.esr_kernels.conv_act.out(*args, out=torch.empty(2, 6, 16, 19))
    assert counter.get_total_flops() == 2 * (2 * 16 * 19) * 6 * 6 * 9


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("layout", [torch.clone, channels_last])
def test_meta_tensors_follow_the_real_ones(name, layout):
    op, (x, *rest) = OPS[name], arguments()[name]
    args = [tree_map(lambda t: layout(t) if t.dim() == 4 else transposed(t), x), *rest]
    on_meta = tree_map(lambda leaf: leaf.to("meta") if torch.is_tensor(leaf) else leaf, args)
    for real, meta in zip(tree_leaves(op(*args)), tree_leaves(op(*on_meta)), strict=True):
        assert (real.shape, real.stride(), real.dtype) == (meta.shape, meta.stride(), meta.dtype)


@pytest.mark.parametrize("name", OPS)
def test_autocast_as_in_torch(name):
    op, args = OPS[name], arguments()[name]
    with torch.autocast("cpu", torch.bfloat16):
        ours = tree_leaves(op(*args))
    plain = tree_leaves(op.reference(*args))
    for our, full in zip(ours, plain, strict=True):
        assert our.dtype == torch.bfloat16
        assert (our - full).abs().max() < 0.05 * full.abs().max()


@pytest.mark.parametrize("name", OPS)
def test_inference_mode_gives_the_same(name):
    op, args = OPS[name], arguments()[name]
    with torch.inference_mode():
        inferred = tree_leaves(op(*args))
    for a, b in zip(inferred, tree_leaves(op(*args)), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("layout", [torch.clone, channels_last])
def test_out_and_input_in_one_tensor(layout):
    """Never taken for apart when they overlap; channel slices of the same rows always are."""
    places = layout(torch.arange(72.0).view(2, 4, 3, 3))
    channels = [slice(*ends) for ends in itertools.combinations(range(5), 2)]
    windows = list(itertools.product(channels, (slice(0, 3), slice(0, 2), slice(1, 3))))
    for (c1, rows1), (c2, rows2) in itertools.product(windows, repeat=2):
        a, b = places[:, c1, rows1], places[:, c2, rows2]
        if set(a.flatten().tolist()) & set(b.flatten().tolist()):
            assert not apart(a, b)
        elif rows1 == rows2:
            assert apart(a, b)


@pytest.mark.parametrize("name", OPS)
def test_activations_are_mapped_by_name(name):
    op, args = OPS[name], arguments()[name]
    found = op.activations_of(args)
    assert all(torch.is_tensor(x) for x in found) and len(found) >= 1
    marked = op.map_activations(args, lambda x: "activation")
    weights = [a for a in tree_leaves(marked) if torch.is_tensor(a)]
    assert tree_leaves(marked).count("activation") == len(found)
    assert not any(x is w for x in found for w in weights)


@pytest.mark.parametrize("name", OPS)
def test_examples_fit_and_are_the_same_at_every_call(name):
    first, again = OPS[name].example_arguments(), OPS[name].example_arguments()
    for args, same in zip(first, again, strict=True):
        OPS[name].check(*args)
        pairs = zip(tree_leaves(args), tree_leaves(same), strict=True)
        assert all(torch.equal(a, b) if torch.is_tensor(a) else a == b for a, b in pairs)


@pytest.mark.parametrize("name", OPS)
def test_reach_is_that_of_the_reference(name):
    """A pixel further away than the reach changes nothing; one at the reach does."""
    op, args = OPS[name], arguments()[name]
    shapes = tree_map(lambda a: tuple(a.shape) if torch.is_tensor(a) else a, args)
    reach = op.reach(*shapes)
    if reach is None:
        return
    taps, factor = reach
    x = op.activations_of(args)[0].clone().requires_grad_()
    y = tree_leaves(
        op.reference(*op.map_activations(args, lambda a: x if a.shape == x.shape else a))
    )[0]
    assert y.shape[-1] == factor * x.shape[-1]
    (grad,) = torch.autograd.grad(y[..., 8 * factor, 9 * factor].sum(), x)
    columns = grad.abs().sum((0, 1, 2)).nonzero().flatten()
    assert (columns.min(), columns.max()) == (9 - taps, 9 + taps)


@pytest.mark.parametrize("name", OPS)
def test_details_are_a_phrase(name):
    shapes = tree_map(lambda a: tuple(a.shape) if torch.is_tensor(a) else a, arguments()[name])
    assert OPS[name].detail(*shapes).count("\n") == 0 and len(OPS[name].detail(*shapes)) > 5
