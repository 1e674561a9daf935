"""CUDA graphs: what a plan launches is recorded once per kind of input, and replayed as a whole.

A replay costs the host one launch instead of a network's dozens, which is what small pictures on a
fast GPU wait for. A graph reads and writes memory of its own: inputs are copied into it, results
out of it.

Large pictures are not recorded. They keep the GPU busy for longer than the host takes to launch a
network, so a graph would save them nothing, cost a copy of the result (199 MB in float16 for
1920x1080 upscaled four times) and hold that much memory for as long as it is kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from ..backends.layout import memory_format

#: Graphs that one plan keeps: the shapes used last.
KEPT = 8
#: Pixels of the largest batch that is recorded. SPAN is estimated at 0.8 ms for so many on an H100,
#: and the host launches it in 0.3 ms.
LARGEST_PX = 512 * 1024


# A process may record one graph at a time.
_recording = Lock()


@contextmanager
def _side_stream() -> Iterator[torch.cuda.Stream]:
    """A stream of the current device to record on, whatever becomes of the recording.

    torch's own is that of the device on which it first recorded, and stays current where recording
    fails.
    """
    current, side = torch.cuda.current_stream(), torch.cuda.Stream()
    side.wait_stream(current)
    try:
        with torch.cuda.stream(side):
            yield side
    finally:
        current.wait_stream(side)


class Replayed:
    """``run``, a function of one tensor on a GPU, replayed from CUDA graphs.

    There is a graph for every shape and memory format of the input, made at its first call; the
    ``KEPT`` used last are kept. Results are fresh tensors. Calls with more than ``LARGEST_PX``
    pixels, calls while the caller records a graph of its own, and all calls once a recording has
    failed, go to ``run`` itself.

    ``why_not``: why nothing is recorded; None where it is.
    """

    def __init__(self, run: Callable[..., Any], why_not: str | None = None):
        self.run = run
        self.why_not = why_not
        self._graphs: OrderedDict[tuple, _Recorded] = OrderedDict()
        self._lock = Lock()
        self._pool: Any = None  # one, since no two of the graphs ever run at once
        self._free: Any = None  # an event: the last replay has ended

    def __call__(self, *inputs: Tensor) -> Any:
        x = inputs[0]
        with torch.cuda.device(x.device):
            large = x.shape[0] * x.shape[2] * x.shape[3] > LARGEST_PX
            if large or self.why_not or torch.cuda.is_current_stream_capturing():
                return self.run(*inputs)
            with self._lock:
                recorded = self._recorded(x)
                if recorded is not None:
                    return self._replay(recorded, x)
            return self.run(x)

    def describe(self) -> str:
        """A sentence for the report."""
        if self.why_not:
            return f"not recorded: {self.why_not}"
        return (
            f"{len(self._graphs)} recorded, for the last {KEPT} shapes at most; pictures of more "
            f"than {LARGEST_PX} pixels are launched without"
        )

    def _recorded(self, x: Tensor) -> _Recorded | None:
        kind = x.shape, memory_format(x)
        if kind not in self._graphs:
            recorded = self._record(x)
            if recorded is None:
                return None
            self._graphs[kind] = recorded
            if len(self._graphs) > KEPT:
                self._graphs.popitem(last=False)
        self._graphs.move_to_end(kind)
        return self._graphs[kind]

    def _record(self, x: Tensor) -> _Recorded | None:
        if self._pool is None:
            self._pool, self._free = torch.cuda.graph_pool_handle(), torch.cuda.Event()
        # Not inference tensors: those could only be written in that mode.
        with torch.inference_mode(False), torch.no_grad(), _recording, _side_stream() as side:
            self.run(x)  # compiles, packs and uploads what no graph may hold
            graph = torch.cuda.CUDAGraph()
            try:
                # Other threads may go on: only this one's calls belong to the graph.
                with torch.cuda.graph(
                    graph, self._pool, stream=side, capture_error_mode="thread_local"
                ):
                    own = torch.empty(
                        x.shape, dtype=x.dtype, device=x.device, memory_format=memory_format(x)
                    )
                    result = self.run(own)
            except RuntimeError as error:
                self.why_not = f"{type(error).__name__}: {error}".splitlines()[0]
                return None
        return _Recorded(graph, own, result)

    def _replay(self, recorded: _Recorded, x: Tensor) -> Any:
        stream = torch.cuda.current_stream()
        stream.wait_event(self._free)  # the last call may have come on another stream
        recorded.input.copy_(x)
        recorded.graph.replay()
        fresh = tree_map(lambda y: y.clone() if isinstance(y, Tensor) else y, recorded.result)
        self._free.record(stream)
        return fresh


@dataclass(frozen=True)
class _Recorded:
    """A graph with the memory that it reads and writes."""

    graph: torch.cuda.CUDAGraph
    input: Tensor
    result: Any
