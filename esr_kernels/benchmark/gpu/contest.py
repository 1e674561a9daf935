"""Contests on a GPU: CUDA events around each call, caches cold, everybody in turns.

Before each call a buffer larger than any L2 is overwritten. That empties the cache, and while it
lasts the host runs ahead, so that what is timed is the device. A CUDA graph takes the host out
altogether. The limit is the larger of multiply-adds / matrix rate and bytes / bandwidth, both
measured by torch in the same run: a float16 product of 8192 x 8192 and a copy of 1 GiB.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache, partial

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from ... import backends, fusion
from ...challenge.sources import resolve
from ...op import Op
from ...ops import CONV_ACT, OPS
from ...system import info
from ..compare import problem_of
from ..problem import Op as OpModule
from ..problem import Problem
from ..stamp import machine_stamp
from ..tolerance import assert_as_good_as_torch

ROUNDS = 30
_FLUSH_BYTES = 2**31  # half a millisecond and more, as long as eager networks take to launch
Call = Callable[[], object]
DEVICE = torch.device("cuda", 0)


@dataclass(frozen=True)
class Way:
    """A way of computing a problem: ``make(module, inputs)`` gives the call, in this dtype.

    ``backend``: which of ours; None for torch's own ways.
    """

    dtype: torch.dtype
    make: Callable[[torch.nn.Module, tuple[Tensor, ...]], Call]
    backend: str | None = None
    tf32: bool = False

    def refusal(self, op: Op) -> str | None:
        """Why the backend does not compute this op."""
        if self.backend is None:
            return None
        with self._settings():
            choice = backends.choose(op, DEVICE, self.dtype)
        return dict(choice.refusals).get(self.backend)

    def prepare(self, problem: Problem) -> Call:
        """The call, with its backend and whether TF32 is allowed, to be run without gradients."""
        with self._settings():
            module = problem.ours() if self.backend else copy.deepcopy(problem.module)
            call = self.make(module.to(DEVICE, self.dtype), inputs_of(problem, self.dtype))
            if self.backend:
                self._check_backend(module, call)

        def run() -> object:
            with self._settings():
                return call()

        return run

    def _check_backend(self, module: torch.nn.Module, call: Call) -> None:
        """Raise ``RuntimeError`` if a part of a network of ours is computed by somebody else."""
        if isinstance(module, OpModule):
            return
        call()  # the plan is made at the first call
        lines = [line for line in fusion.explain(module).lines if line.backend]
        others = [f"{n.what} by {n.backend}" for n in lines if n.backend != self.backend]
        if others or not lines:
            wrong = ", ".join(others[:3]) or "nothing accelerated"
            raise RuntimeError(f"not all is computed by {self.backend}: {wrong}")

    @contextmanager
    def _settings(self) -> Iterator[None]:
        torch.backends.cudnn.allow_tf32 = self.tf32
        with backends.only(self.backend) if self.backend else nullcontext():
            yield


def inputs_of(problem: Problem, dtype: torch.dtype) -> tuple[Tensor, ...]:
    return tuple(x.to(DEVICE, dtype) for x in problem.inputs)


def as_it_is(module, inputs) -> Call:
    return lambda: module(*inputs)


def channels_last(module, inputs) -> Call:
    format_ = torch.channels_last
    return as_it_is(module.to(memory_format=format_), [x.to(memory_format=format_) for x in inputs])


def compiled(module, inputs, mode: str = "default") -> Call:
    torch._dynamo.reset()
    return channels_last(torch.compile(module, mode=mode, dynamic=False), inputs)


def graphed(module, inputs) -> Call:
    """One CUDA graph of the whole call; the result lies where the graph writes it."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # compiles and packs, which no graph may hold
        module(*inputs)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = module(*inputs)

    def replay() -> object:
        graph.replay()
        return result

    return replay


def recorded(module, inputs) -> Call:
    """From CUDA graphs as users have them: with copies of inputs and results, but for an op."""
    if isinstance(module, OpModule):
        return graphed(module, inputs)
    return as_it_is(fusion.accelerate(module, cuda_graphs=True), inputs)


HALF, FULL = torch.float16, torch.float32
#: Ratios are to the first of ours that computes a case.
WAYS = {
    "ours cuda fp16": Way(HALF, as_it_is, "cuda"),
    "ours triton fp16": Way(HALF, as_it_is, "triton"),
    "ours cuda fp16, CUDA graph": Way(HALF, recorded, "cuda"),
    "ours triton fp16, CUDA graph": Way(HALF, recorded, "triton"),
    "ours cuda TF32": Way(FULL, as_it_is, "cuda", tf32=True),
    "ours triton TF32": Way(FULL, as_it_is, "triton", tf32=True),
    "ours triton fp32": Way(FULL, as_it_is, "triton"),
    "eager fp16": Way(HALF, channels_last),
    "eager TF32": Way(FULL, as_it_is, tf32=True),
    "eager fp32": Way(FULL, as_it_is),
    "torch.compile fp16": Way(HALF, compiled),
    "max-autotune fp16": Way(HALF, partial(compiled, mode="max-autotune")),
}


def rehearse() -> None:
    """Let the CPU stand in for the GPU, with contestants that it has."""
    global DEVICE
    DEVICE = torch.device("cpu")
    WAYS["ours cuda fp16"] = WAYS["ours triton fp16"] = Way(FULL, as_it_is, "cpu")
    WAYS["max-autotune fp16"] = WAYS["torch.compile fp16"] = Way(FULL, as_it_is)


@torch.no_grad()
def contest(group: str, problem: Problem) -> dict:
    """Checks all ways and times them in turns: a case as it is kept.

    Raises:
        AssertionError: a result of ours is not as good as torch's.
    """
    calls, left_out = {}, {}
    op = {op.name: op for op in OPS}.get(group, CONV_ACT)
    for name, way in WAYS.items():
        if reason := way.refusal(op):
            left_out[name] = reason
            continue
        try:
            call = way.prepare(problem)
            check(call(), way, problem)
        except Exception as error:  # rivals raise what they like
            if way.backend:
                raise
            left_out[name] = f"{type(error).__name__}: {str(error)[:120]}"
            continue
        calls[name] = call
    assert any(WAYS[name].backend for name in calls), f"no backend of ours: {left_out}"
    times_ms: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(ROUNDS):
        names = list(calls)
        at = turn % len(names)
        for name in names[at:] + names[:at]:
            times_ms[name].append(_time_ms(calls[name]))
    return {
        "group": group,
        "case": problem.name,
        "weights": problem.weights,
        "rounds": ROUNDS,
        "ms": {name: _spread(times) for name, times in times_ms.items()},
        "left_out": left_out,
        "limit_ms": _limit_ms(problem),
    }


def check(result: object, way: Way, problem: Problem) -> None:
    """Hold a result to the tolerance rule; TF32 has as many digits as float16."""
    dtype = HALF if way.tf32 else way.dtype
    plain = _results(problem, dtype)
    triples = zip(*map(tree_leaves, (result, plain, _results(problem, torch.float64))), strict=True)
    for ours, torchs, exact in triples:
        assert_as_good_as_torch(ours, torchs.to(ours.dtype), exact)


def _results(problem: Problem, dtype: torch.dtype) -> object:
    torch.backends.cudnn.allow_tf32 = False
    module = copy.deepcopy(problem.module).to(DEVICE, dtype)
    return tree_map(torch.clone, module(*inputs_of(problem, dtype)))


def timed(call: Call, rounds: int = ROUNDS) -> dict[str, float]:
    """Time a call by itself, in ms: the median, and the 10th and 90th percentile."""
    return _spread([_time_ms(call) for _ in range(rounds)])


def network(name: str, height: int, width: int) -> Problem:
    """Make the problem of a network by name on one picture."""
    return problem_of(resolve(name), (height, width))


def _time_ms(call: Call) -> float:
    if DEVICE.type == "cpu":  # a rehearsal
        began_s = time.perf_counter()
        call()
        return 1e3 * (time.perf_counter() - began_s)
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    _flush_buffer().zero_()
    start.record()
    call()
    end.record()
    end.synchronize()
    return start.elapsed_time(end)


@cache
def _flush_buffer() -> Tensor:
    return torch.empty(_FLUSH_BYTES, dtype=torch.uint8, device="cuda")


def _spread(times: list[float]) -> dict[str, float]:
    low, median, high = torch.tensor(times).quantile(torch.tensor([0.1, 0.5, 0.9])).tolist()
    return {"p10": low, "median": median, "p90": high}


def _limit_ms(problem: Problem) -> float:
    """For float16: half the bytes of float32."""
    device, work = measure(), problem.work
    macs = work.winograd_macs + work.other_macs
    compute_s = 2 * macs / (1e12 * device["tflops_fp16"])
    return 1e3 * max(compute_s, work.bytes / 2 / (1e9 * device["gbytes_s"]))


@cache
def measure() -> dict[str, float]:
    """The best matrix rate and copy bandwidth (both directions counted) of some tries."""
    a, b = (torch.randn(8192, 8192, dtype=HALF, device="cuda") for _ in range(2))
    source = torch.empty(2**30, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    mm_ms = min(_time_ms(lambda: a @ b) for _ in range(10))
    copy_ms = min(_time_ms(lambda: target.copy_(source)) for _ in range(10))
    return {
        "tflops_fp16": 2 * 8192**3 / mm_ms / 1e9,
        "gbytes_s": 2 * source.nbytes / copy_ms / 1e6,
    }


def stamp() -> dict[str, object]:
    """The machine, with its GPU, its measured rates and how far our kernels were tested before."""
    kernels = {name: detail for name, _, detail in info().backends}
    return machine_stamp() | {
        "gpu": torch.cuda.get_device_name(),
        "cuda": torch.version.cuda,
        "kernels": kernels,
        "dtype": "float16",
        "measured": measure(),
    }


def table(cases: list[dict]) -> str:
    """Medians in ms, a line per case and way, with ratios to ours and the share of the limit."""
    lines = []
    for case in cases:
        ours = next(ms["median"] for name, ms in case["ms"].items() if name.startswith("ours"))
        share = case["limit_ms"] / ours
        lines.append(f"{case['case']} ({case['weights']}): {share:.0%} of the limit")
        for name, ms in case["ms"].items():
            spread = f"{ms['p10']:.3f} to {ms['p90']:.3f}"
            ratio = ms["median"] / ours
            lines.append(f"  {name:28} {ms['median']:8.3f} ms  {ratio:6.2f}x  ({spread})")
        lines += [f"  {name:28} left out: {why}" for name, why in case["left_out"].items()]
    return "\n".join(lines)
