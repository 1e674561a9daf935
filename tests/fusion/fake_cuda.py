"""Enough of ``torch.cuda`` to record and replay what runs on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import torch


class Graph:
    """Does again what was registered while it was the one that records."""

    recording: Graph | None = None

    def __init__(self) -> None:
        self.steps: list[Callable[[], object]] = []
        self.replays = 0

    def replay(self) -> None:
        self.replays += 1
        for step in self.steps:
            step()


class Stream:
    def wait_stream(self, other) -> None: ...

    def wait_event(self, event) -> None: ...


class Event:
    def record(self, stream) -> None: ...


@contextmanager
def _record(graph: Graph, pool, capture_error_mode: str) -> Iterator[None]:
    Graph.recording = graph
    try:
        yield
    finally:
        Graph.recording = None


def install(monkeypatch) -> None:
    """Puts it in the place of torch's."""
    current = Stream()
    for name, value in {
        "CUDAGraph": Graph,
        "Stream": Stream,
        "Event": Event,
        "graph": _record,
        "graph_pool_handle": object,
        "device": lambda device: nullcontext(),
        "stream": lambda stream: nullcontext(),
        "current_stream": lambda: current,
        "is_current_stream_capturing": lambda: Graph.recording is not None,
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
