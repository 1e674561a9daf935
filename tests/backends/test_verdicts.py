"""Kernels are checked in a process of their own: faults are refusals, and verdicts are kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from esr_kernels.backends import check_process, verdicts
from esr_kernels.backends.check_process import START, Outcome
from esr_kernels.backends.verdicts import Verdict

GPU = torch.device("cuda", 0)
WRONG = "wrong by 3e-2, 1e-3 allowed: please report this"
IDENTITY = {"gpu": "H100", "build": "1"}


@pytest.fixture(autouse=True)
def _module_path(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)


def walked(*names: str, limit_s: float = 60.0) -> dict[str, str | None]:
    """The reasons that the process gives for these checks of ``faulty_checks``, by name."""
    outcomes = check_process.run(names, "faulty_checks", limit_s)
    assert all(o.ops == (f"op that {o.name}",) for o in outcomes if o.name != START)
    return {o.name: o.reason for o in outcomes}


def test_a_crash_is_an_outcome_and_the_rest_goes_on():
    found = walked("passes", "is wrong", "crashes", "raises", "leaves", "passes, too")
    assert found == {
        "passes": None,
        "is wrong": WRONG,
        "crashes": "ended its process by SIGABRT",
        "raises": "ended its process with exit status 1: "
        "ZeroDivisionError: integer division or modulo by zero",
        "leaves": "ended its process with exit status 7",
        "passes, too": None,
    }


def test_a_fault_that_stays_with_the_device_costs_one_check():
    found = walked("passes", "breaks the device", "passes, too")
    assert found == {"passes": None, "breaks the device": "illegal address", "passes, too": None}


def test_a_hang_is_an_outcome_and_the_rest_goes_on():
    found = walked("passes", "hangs", "passes, too", limit_s=30.0)
    assert found == {"passes": None, "hangs": "timed out after 30 s", "passes, too": None}


def test_a_process_that_does_not_begin():
    assert walked("nothing begins") == {
        START: "ended its process with exit status 1: no such device"
    }


def test_many_faults_are_enough():
    seen = []
    names = "crashes", "leaves", "passes"
    found = check_process.run(names, "faulty_checks", on_outcome=seen.append, most_faults=2)
    assert [o.name for o in found] == ["crashes", "leaves", START] and seen == found
    assert found[-1].reason == "2 checks ended their process"


def test_files_in_the_current_folder_are_not_its_modules(tmp_path, monkeypatch):
    for name in ("json", "queue", "torch"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a file of the user')")
    monkeypatch.chdir(tmp_path)
    assert walked("passes") == {"passes": None}


def test_lines_of_others_are_left_alone(tmp_path, monkeypatch):
    lines = ['{"begin": "a", "ops": []}', "{not ours", '{"level": "info"}', "3"]
    lines += ['{"end": "a", "reason": null}', '{"finished": true}']
    (tmp_path / "chatty.py").write_text("".join(f"print({line!r})\n" for line in lines))
    monkeypatch.syspath_prepend(tmp_path)
    assert check_process.run((), "chatty") == [Outcome("a", (), None)]


@pytest.mark.parametrize("executable", [None, "", "/nowhere/python"])
def test_without_an_interpreter_nothing_is_run_for_now(monkeypatch, executable):
    monkeypatch.setattr("sys.executable", executable)
    (outcome,) = check_process.run((), "faulty_checks")
    assert outcome.name == START and outcome.reason.startswith("no process could be started: ")
    assert not Verdict("", (outcome,)).is_final


def test_a_packed_program_does_not_start_itself(monkeypatch):
    monkeypatch.setattr("sys.frozen", True, raising=False)
    (outcome,) = check_process.run((), "faulty_checks")
    assert "no Python interpreter" in outcome.reason


class Runs:
    """Stands in for the check process: notes the calls, and gives ``reason`` for one of two."""

    def __init__(self) -> None:
        self.calls: list[tuple] = []
        self.reason: str | None = WRONG
        self.also: list[Outcome] = []

    def __call__(self, arguments):
        self.calls.append(arguments)
        found = [Outcome("a form", ("esa",), None), Outcome("another", ("spab",), self.reason)]
        return found + self.also


@pytest.fixture
def runs(monkeypatch, tmp_path) -> Runs:
    made = Runs()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(verdicts, "run", made)
    monkeypatch.setattr(verdicts, "_known", {})
    monkeypatch.setattr(verdicts, "_identity", lambda backend, device: IDENTITY)
    return made


def verdict(numbers: str = "float16") -> Verdict:
    return verdicts.verdict("cuda", GPU, numbers)


def begin_a_new_process(monkeypatch) -> None:
    monkeypatch.setattr(verdicts, "_known", {})


def test_a_verdict_refuses_the_ops_of_the_kernel(runs):
    assert verdict().refusal("esa") is None and verdict().refusal("spab") == f"another: {WRONG}"
    assert runs.calls == [("cuda", "0", "float16")]


def test_nothing_is_computed_where_no_check_could_begin():
    assert Verdict("", (Outcome(START, (), "no image"),)).refusal("esa") == "start: no image"


def test_verdicts_are_kept_for_the_next_process(runs, monkeypatch):
    first = verdict()
    begin_a_new_process(monkeypatch)
    assert verdict() == first and len(runs.calls) == 1
    assert verdicts.known("cuda", GPU) == {"float16": first}
    verdict("bfloat16")
    assert len(runs.calls) == 2 and set(verdicts.known("cuda", GPU)) == {"float16", "bfloat16"}


@pytest.mark.parametrize("what", ["gpu", "build"])
def test_they_hold_for_this_machine_and_build(runs, monkeypatch, what):
    verdict()
    begin_a_new_process(monkeypatch)
    monkeypatch.setattr(verdicts, "_identity", lambda *_: IDENTITY | {what: "another"})
    verdict()
    assert len(runs.calls) == 2


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[]", '{"verdicts": 3}', '{"verdicts": {"float16": {"date": 1}}}'),
        '{"verdicts": {"float16": {"date": "", "outcomes": [{"name": 1}]}}}',
    ],
)
def test_a_damaged_file_is_made_again(runs, monkeypatch, content):
    verdict()
    (path,) = (verdicts.cache_folder() / "device_checks").iterdir()
    path.write_text(content)
    begin_a_new_process(monkeypatch)
    assert verdict().refusal("spab") and len(runs.calls) == 2
    assert set(json.loads(path.read_text())["verdicts"]) == {"float16"}


def test_out_of_memory_is_no_verdict(runs, monkeypatch):
    runs.reason = "OutOfMemoryError: CUDA out of memory"
    assert "out of memory" in verdict().refusal("spab")
    assert verdicts.known("cuda", GPU) == {}
    assert verdict().refusal("spab") and len(runs.calls) == 1  # for now
    runs.reason = None
    monkeypatch.setattr(verdicts, "RETRY_S", -1)
    assert verdict().refusal("spab") is None and len(runs.calls) == 2


def test_a_cache_that_cannot_be_written_costs_only_time(runs, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert verdict().refusal("spab")
    begin_a_new_process(monkeypatch)
    assert verdict().refusal("spab") and len(runs.calls) == 2


def test_forgotten_verdicts_are_made_again(runs):
    verdict()
    verdicts.forget("cuda", GPU)
    verdict()
    assert len(runs.calls) == 2


def test_history_says_what_each_form_passed(runs, monkeypatch):
    names, before = ["a form", "another", "a third"], "compiled"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    rows = verdicts.history("cuda", names, before)
    assert rows == [(name, "compiled; never run on a GPU") for name in names]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "H100")
    date = verdict().date
    states = dict(verdicts.history("cuda", names, before))
    assert states["a form"] == f"passed on H100, {date}"
    assert states["another"] == f"refused: {WRONG}" and states["a third"].endswith("on a GPU")
    runs.also = [Outcome("a form, x2", ("esa",), "wrong by 1"), Outcome("a form, x3", (), None)]
    verdicts.forget("cuda", GPU)
    verdict()
    assert dict(verdicts.history("cuda", names, before))["a form"] == "refused: wrong by 1"
    assert "1 of 3 forms refused" in verdicts.summary(list(states.items()))
