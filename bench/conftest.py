"""How a benchmark runs: threads, rounds, the table at the end, and ``results/latest.json``."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import torch

from esr_kernels.benchmark.contest import (
    OURS,
    Factory,
    Field,
    prepare,
    record,
    rivals_round,
    rounds_for,
)
from esr_kernels.benchmark.limits import Machine, Work, measure, with_limits
from esr_kernels.benchmark.peers import installed
from esr_kernels.benchmark.problem import Problem
from esr_kernels.benchmark.stamp import machine_stamp
from esr_kernels.benchmark.tables import terminal_tables
from tests.stand_ins import some_torchvision

LATEST = Path(__file__).parent / "results" / "latest.json"
_cases = pytest.StashKey[list[dict]]()
_works = pytest.StashKey[list[Work]]()  # of each case, for its limits once the run has ended
_machines = pytest.StashKey[dict[int, Machine]]()


def pytest_configure(config):
    config.stash[_cases] = []
    config.stash[_works] = []
    config.stash[_machines] = {}
    # Raised inside torch.compile and the ONNX exporter, whoever calls them.
    config.addinivalue_line("filterwarnings", "ignore:`torch.jit:DeprecationWarning")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Time a network once: ``bench_peers`` has the contestants of ``bench_models`` and more."""
    names = {item.nodeid.rsplit("::", 1)[1].split("[")[-1] for item in _of(items, "bench_peers.py")}
    twice = [
        item
        for item in _of(items, "bench_models.py")
        if installed() and item.nodeid.rsplit("::", 1)[1].split("[")[-1] in names
    ]
    if twice:
        config.hook.pytest_deselected(items=twice)
        items[:] = [item for item in items if item not in twice]


def _of(items: list[pytest.Item], file: str) -> list[pytest.Item]:
    return [item for item in items if item.path.name == file]


@pytest.fixture(params=[1, 2], ids=["1-thread", "2-threads"])
def threads(request):
    """Number of threads for everybody in this case; torch's own setting is put back."""
    if request.param > (os.cpu_count() or 1):
        pytest.skip(f"this machine has fewer than {request.param} cores")
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def spandrel() -> Iterator[None]:
    """Make spandrel importable; without it the benchmark skips."""
    if importlib.util.find_spec("spandrel") is None:
        pytest.skip("spandrel is not installed: pip install -e '.[test]'")
    with some_torchvision():
        importlib.import_module("spandrel")
        yield


@pytest.fixture
def contest(
    benchmark, threads, request
) -> Callable[[str, Problem, Mapping[str, Factory]], dict | None]:
    """``contest(group, problem, factories)``: check all contestants, time them in turns, record.

    It returns the record, to which a benchmark may add, or None where nothing is timed.

    pytest-benchmark times ours; the rivals' turns run as the set-up of each of its rounds, so all
    medians come from the same rounds. ``--benchmark-min-rounds`` and ``--benchmark-max-time`` (per
    case, seconds) mean what they always mean.
    """
    stash, option = request.config.stash, request.config.getoption

    def run(group: str, problem: Problem, factories: Mapping[str, Factory]) -> dict | None:
        stash[_machines][threads] = measure(stash[_machines].get(threads))
        with torch.no_grad():
            field = prepare(problem, threads, factories)
            least, time_s = option("benchmark_min_rounds"), float(option("benchmark_max_time"))
            rounds = rounds_for(field.round_s, least, time_s)
            times_s = _time(benchmark, field, rounds)
        if benchmark.stats is None:  # --benchmark-disable: checked, not timed
            return None
        case = record(group, problem, threads, field, times_s)
        benchmark.extra_info.update(case)
        stash[_cases].append(case)
        stash[_works].append(problem.work)
        return case

    return run


def _time(benchmark, field: Field, rounds: int) -> dict[str, list[float]]:
    """Seconds of every contestant in every round, ours first."""
    rivals = {name: c for name, c in field.ready.items() if name != OURS}
    times_s: dict[str, list[float]] = {name: [] for name in rivals}
    turns = rivals_round(rivals, times_s)
    benchmark.pedantic(field.ready[OURS].call, setup=turns, rounds=rounds)
    ours = [] if benchmark.stats is None else benchmark.stats.stats.data
    return {OURS: ours} | times_s


def pytest_benchmark_update_machine_info(config, machine_info):
    machine_info["esr_kernels"] = machine_stamp()


def pytest_terminal_summary(terminalreporter, config):
    """Print the tables and keep their figures in ``results/latest.json``."""
    if not config.stash[_cases]:
        return
    result = _result(config)
    terminalreporter.write_sep("=", "contestants in turns, medians")
    terminalreporter.write_line(terminal_tables(result))
    LATEST.parent.mkdir(exist_ok=True)
    LATEST.write_text(json.dumps(result, indent=1) + "\n")
    terminalreporter.write_line(f"written to {LATEST}; keep it with: python bench/report.py --keep")


def _result(config) -> dict:
    """Everything that is kept of a run: the machine, and the cases with their limits."""
    cases = zip(config.stash[_cases], config.stash[_works], strict=True)
    return with_limits(cases, config.stash[_machines], machine_stamp())
