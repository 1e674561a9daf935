"""CUDA graphs of a plan: what is recorded, kept, and given back. Without a GPU: tests that have one
are ``backends/test_gpu_networks.py``."""

from __future__ import annotations

import copy

import fake_cuda
import pytest
import torch
from fast import span
from images import image
from torch import Tensor

import esr_kernels.fusion as fusion
from esr_kernels.fusion import plans, timing
from esr_kernels.fusion.cuda_graphs import KEPT, LARGEST_PX, Replayed


@pytest.fixture(autouse=True)
def no_grad():
    with torch.no_grad():
        yield


@pytest.fixture
def fake(monkeypatch):
    fake_cuda.install(monkeypatch)


class Doubles:
    """``2 x`` and ``x + 1``, which counts its calls and can be recorded."""

    def __init__(self, fails: Exception | None = None):
        self.calls = 0
        self.fails = fails

    def __call__(self, x: Tensor) -> tuple[Tensor, dict]:
        self.calls += 1
        results = 2 * x, x + 1
        if graph := fake_cuda.Graph.recording:
            if self.fails is not None:
                raise self.fails
            graph.steps += [lambda: results[0].copy_(2 * x), lambda: results[1].copy_(x + 1)]
        return results[0], {"more": results[1], "name": "plain"}


def check(replayed: Replayed, x: Tensor) -> Tensor:
    first, rest = replayed(x)
    assert torch.equal(first, 2 * x) and torch.equal(rest["more"], x + 1)
    assert rest["name"] == "plain"
    return first


def test_records_once_and_replays(fake):
    run = Doubles()
    replayed = Replayed(run)
    assert replayed.describe().startswith("0 recorded")
    for _ in range(3):
        check(replayed, image(1, 3, 5, 6))
    assert run.calls == 2  # to warm up, and to record
    assert replayed.describe().startswith("1 recorded")
    (recorded,) = replayed._graphs.values()
    assert recorded.graph.replays == 3


def test_results_are_fresh_and_the_input_is_left_alone(fake):
    replayed, x = Replayed(Doubles()), image(1, 3, 5, 6)
    first = check(replayed, x)
    kept = first.clone()
    first.zero_()
    second = check(replayed, x)
    assert torch.equal(second, kept) and second.data_ptr() != first.data_ptr()
    check(replayed, x + 1)
    assert torch.equal(second, kept)


def test_one_graph_for_each_shape_and_memory_format(fake):
    run = Doubles()
    replayed, x = Replayed(run), image(1, 3, 5, 6)
    last = x.contiguous(memory_format=torch.channels_last)
    for picture in (x, last, x[:, :, :4], x, last, image(1, 3, 5, 12)[..., ::2]):
        y = check(replayed, picture)
        assert y.is_contiguous(memory_format=torch.channels_last) == (picture is last)
    assert run.calls == 2 * 3


def test_only_the_shapes_used_last_are_kept(fake):
    run = Doubles()
    replayed = Replayed(run)
    widths = range(1, KEPT + 1)
    for width in widths:
        check(replayed, image(1, 1, 2, width))
    check(replayed, image(1, 1, 2, 1))  # now the one used last
    check(replayed, image(1, 1, 2, KEPT + 1))  # takes the place of width 2
    assert len(replayed._graphs) == KEPT and run.calls == 2 * (KEPT + 1)
    check(replayed, image(1, 1, 2, 1))
    assert run.calls == 2 * (KEPT + 1)
    check(replayed, image(1, 1, 2, 2))
    assert run.calls == 2 * (KEPT + 2)


def test_large_pictures_are_not_recorded(fake):
    """Their result is the one that the computation wrote, not a copy of it."""
    results = []

    def run(x: Tensor) -> Tensor:
        results.append(2 * x)
        return results[-1]

    replayed = Replayed(run)
    large, batch = image(1, 1, 1024, 513), image(2, 1, 512, 513)
    for x in (large, batch, large):
        assert replayed(x) is results[-1] and torch.equal(results[-1], 2 * x)
    assert len(results) == 3 and not replayed._graphs
    assert f"more than {LARGEST_PX} pixels" in replayed.describe()
    doubles = Replayed(Doubles())
    check(doubles, image(1, 1, 1024, 512))
    assert len(doubles._graphs) == 1


def test_what_cannot_be_recorded_runs_all_the_same(fake):
    run = Doubles(RuntimeError("operation not permitted\nand more"))
    replayed, stream = Replayed(run), torch.cuda.current_stream()
    for _ in range(2):
        check(replayed, image(1, 3, 5, 6))
        assert torch.cuda.current_stream() is stream
    assert run.calls == 4  # to warm up, to record in vain, and twice to compute
    assert replayed.describe() == "not recorded: RuntimeError: operation not permitted"


def test_errors_are_the_callers(fake):
    def refuses(x):
        raise ValueError("too small")

    with pytest.raises(ValueError, match="too small"):
        Replayed(refuses)(image(1, 3, 5, 6))


def test_inside_another_recording_it_is_plain(fake):
    run = Doubles()
    replayed = Replayed(run)
    with torch.cuda.graph(torch.cuda.CUDAGraph(), None, torch.cuda.Stream(), "global"):
        check(replayed, image(1, 3, 5, 6))
    assert run.calls == 1 and not replayed._graphs


def test_in_and_out_of_inference_mode(fake):
    replayed, x = Replayed(Doubles()), image(1, 3, 5, 6)
    with torch.inference_mode():
        check(replayed, x.clone())
    check(replayed, x)
    with torch.inference_mode():
        check(replayed, x.clone())
    assert len(replayed._graphs) == 1


def test_a_cpu_is_not_concerned():
    model, x = span(), image(1, 3, 8, 9)
    expected = fusion.accelerate(span())(x)
    fast = fusion.accelerate(model, cuda_graphs=True)
    assert torch.equal(fast(x), expected)
    assert "CUDA graphs" not in str(fusion.explain(fast))


def test_changed_weights_are_recorded_again(fake, monkeypatch):
    """With a plan that stands in for one on a GPU."""
    make_plan = plans.make_plan

    def on_gpu(*args):
        plan = make_plan(*args)
        plan.run = Replayed(_recordable(plan.run))
        return plan

    monkeypatch.setattr(plans, "make_plan", on_gpu)
    model, x = span(), image(1, 3, 8, 9)
    fast = fusion.accelerate(model, cuda_graphs=True)
    before = fast(x)
    assert torch.equal(fast(x), before)
    assert "CUDA graphs" in str(fusion.explain(fast)) and "1 recorded" in str(fusion.explain(fast))
    monkeypatch.setattr(timing, "LIMIT_S", 0.0)
    assert fusion.explain(fast, x).lines[0].share > 0  # step by step, not replayed
    for parameter in model.parameters():
        parameter.mul_(0.5)
    plain = fusion.restore(copy.deepcopy(model))
    torch.testing.assert_close(fast(x), plain(x), rtol=1e-4, atol=1e-5)
    twin = copy.deepcopy(fast)
    assert twin.__dict__["forward"].how == (None, True) and torch.equal(twin(x), fast(x))


def _recordable(run):
    """``run`` for a function whose result is one tensor."""

    def recorded(x):
        y = run(x)
        if graph := fake_cuda.Graph.recording:
            graph.steps.append(lambda: y.copy_(run(x)))
        return y

    return recorded
