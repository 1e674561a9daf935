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


_streams = [Stream()]  # the current one last


@contextmanager
def _stream(stream: Stream) -> Iterator[None]:
    before = len(_streams)
    _streams.append(stream)
    try:
        yield
    finally:
        del _streams[before:]


@contextmanager
def _record(graph: Graph, pool, stream: Stream, capture_error_mode: str) -> Iterator[None]:
    """As torch's: its stream stays current where what is recorded fails."""
    assert Graph.recording is None, "a process records one graph at a time"
    Graph.recording = graph
    _streams.append(stream)
    try:
        yield
        _streams.pop()
    finally:
        Graph.recording = None


def install(monkeypatch) -> None:
    """Puts it in the place of torch's."""
    monkeypatch.setattr(f"{__name__}._streams", [Stream()])
    for name, value in {
        "CUDAGraph": Graph,
        "Stream": Stream,
        "Event": Event,
        "graph": _record,
        "graph_pool_handle": object,
        "device": lambda device: nullcontext(),
        "stream": _stream,
        "current_stream": lambda: _streams[-1],
        "is_current_stream_capturing": lambda: Graph.recording is not None,
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
