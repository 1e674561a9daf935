"""Times of the steps of plans, within a call of the module that they belong to."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import Any

from torch import Tensor, nn
from torch.fx import GraphModule, Interpreter, Node

from .cuda_graphs import Replayed
from .pictures import copied
from .plan import Plan

ROUNDS, LEAST_ROUNDS = 15, 3
#: After so long no round begins, but for the least.
LIMIT_S = 1.0

#: Seconds of each node of compiled graphs, and of all else in a call, which is None.
Times = dict[Node | None, float]


def times_of(
    module: nn.Module, inputs: tuple[Tensor, ...], plans: Iterable[Plan], wait: Callable[[], None]
) -> Times:
    """Medians over some calls of a module.

    The plans run node by node meanwhile, without CUDA graphs. ``wait``: returns when the device has
    done what it was given.
    """
    rounds: list[Times] = []
    watch = _Stopwatch(wait)
    until_s = time.perf_counter() + LIMIT_S
    with ExitStack() as watched:
        for plan in plans:
            watched.enter_context(_watched(plan, watch))
        while len(rounds) < LEAST_ROUNDS or time.perf_counter() < until_s:
            given = copied(inputs)
            with watch.on(None):
                module(*given)
            rounds.append(watch.taken())
            if len(rounds) == ROUNDS:
                break
    return {piece: median(times.get(piece, 0.0) for times in rounds) for piece in rounds[0]}


class _Stopwatch:
    """Times pieces of what runs by wall clock, each without the pieces inside it."""

    def __init__(self, wait: Callable[[], None]):
        self._times_s: Times = defaultdict(float)
        self._wait = wait
        self._running: list[Node | None] = []
        self._since_s = 0.0

    @contextmanager
    def on(self, piece: Node | None) -> Iterator[None]:
        """Times what runs inside, as this piece."""
        self._lap()
        self._running.append(piece)
        try:
            yield
        finally:
            self._lap()
            self._running.pop()

    def taken(self) -> Times:
        """What was timed since the last such question."""
        times_s, self._times_s = self._times_s, defaultdict(float)
        return times_s

    def _lap(self) -> None:
        self._wait()
        now_s = time.perf_counter()
        if self._running:
            self._times_s[self._running[-1]] += now_s - self._since_s
        self._since_s = now_s


class _Watched(Interpreter):
    """Runs a compiled graph with a watch on every node."""

    def __init__(self, graph: GraphModule, watch: _Stopwatch):
        super().__init__(graph)
        self._watch = watch

    def run_node(self, n: Node) -> Any:
        args, kwargs = self.fetch_args_kwargs_from_env(n)
        with self._watch.on(n):
            return getattr(self, n.op)(n.target, args, kwargs)


@contextmanager
def _watched(plan: Plan, watch: _Stopwatch) -> Iterator[None]:
    if plan.graph is None:
        yield
        return
    run = plan.run
    plan.run = run.run if isinstance(run, Replayed) else run
    # Whatever ``run`` does around it, it calls the graph as a module, whose forward this is.
    plan.graph.__dict__["forward"] = _Watched(plan.graph, watch).run
    try:
        yield
    finally:
        del plan.graph.__dict__["forward"]
        plan.run = run
