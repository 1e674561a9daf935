"""Results of benchmarks: ratios, shares, tables, limits, turns, and who is left out."""

import copy
import json
import sys
from pathlib import Path

import pytest
import torch
from made_results import case, result

PROJECT = Path(__file__).resolve().parents[2]
# ``bench`` is a folder of the checkout, no part of the installed package.
sys.path.insert(0, str(PROJECT))

from bench import networks, report  # noqa: E402
from esr_kernels import backends, fusion, models  # noqa: E402
from esr_kernels.benchmark import (  # noqa: E402
    compare,
    contest,
    limits,
    plot,
    problem,
    tables,
    torch_ways,
)
from esr_kernels.benchmark.peers import ncnn_export  # noqa: E402
from esr_kernels.cli import main  # noqa: E402

CPU = torch.device("cpu")


def test_ratios_and_shares():
    one = case(ours=20.0, eager=100.0, OpenVINO=15.0)
    assert tables.ratios(one) == {"eager": 5.0, "OpenVINO": 0.75}
    assert tables.shares(one) == {"direct": 2.0, "winograd": 0.5}


def test_terminal_tables():
    cases = case(ours=20.0, eager=100.0), case("op", 2, "spab", ours=2.0, eager=5.0)
    text = tables.terminal_tables(result(*cases))
    row = next(line for line in text.splitlines() if line.startswith("SPAN-28"))
    assert row.split() == [
        "SPAN-28",
        "256x256",
        "1",
        "20.0",
        "100",
        "5.00x",
        "200%",
        "50%",
        "7",
        "official",
    ]
    assert "ncnn left out: not installed (SPAN-28 256x256 on 1, op on 2)" in text
    assert "1 thread: 100 GFLOP/s at best, 20 GB/s copying" in text
    assert "openvino 2026.1" in text and "abc1234" in text


@pytest.mark.parametrize(
    ("round_s", "rounds"), [(10.0, 5), (0.1, 10), (0.0001, 50)], ids=["least", "time", "most"]
)
def test_rounds(round_s, rounds):
    assert contest.rounds_for(round_s, least=5, time_s=1.0) == rounds


def test_rivals_take_turns_from_another_start():
    called = []
    rivals = {name: contest.Implementation(lambda name=name: called.append(name)) for name in "abc"}
    times_s = {name: [] for name in rivals}
    turns = contest.rivals_round(rivals, times_s)
    for _ in range(3):
        turns()
    assert "".join(called) == "abcbcacab"
    assert [len(times) for times in times_s.values()] == [3, 3, 3]


def small_problem() -> problem.Problem:
    (weight, bias), x = problem.weights_of((5, 3, 3)), torch.rand(1, 3, 7, 9)

    def conv(xs, w, b):
        return torch.nn.functional.conv2d(xs[0], w, b, padding=1)

    return problem.op_problem("small", lambda f: f, (conv, conv), (x,), (weight, bias))


def test_a_wrong_or_missing_rival_is_left_out_and_a_wrong_ours_fails():
    given = small_problem()
    right = contest.Implementation(lambda: given.module(*given.inputs))
    wrong = contest.Implementation(lambda: given.module(*given.inputs) + 1e-4)

    def missing(problem, threads):
        raise ModuleNotFoundError("no module")

    factories = {"ours": lambda p, t: right, "wrong": lambda p, t: wrong, "missing": missing}
    field = contest.prepare(given, 1, factories)
    assert list(field.ready) == ["ours"]
    assert "max error" in field.left_out["wrong"] and field.left_out["missing"] == "not installed"
    with pytest.raises(AssertionError, match="error"):
        contest.prepare(given, 1, {"ours": lambda p, t: wrong})


def test_work_and_limits():
    work = small_problem().work
    moved = 4 * (3 * 63 + 5 * 3 * 9 + 5 + 5 * 63)
    assert work == limits.Work(winograd_macs=63 * 5 * 3 * 9, other_macs=0, bytes=moved)
    both = limits.Work(winograd_macs=4_000, other_macs=1_000, bytes=600)
    fast = limits.Machine(flops=1e6, bandwidth=1e9)
    assert limits.limits_ms(both, fast) == pytest.approx({"direct": 10.0, "winograd": 4.0})
    slow = limits.Machine(flops=1e6, bandwidth=1e5)
    assert limits.limits_ms(both, slow) == pytest.approx({"direct": 10.0, "winograd": 6.0})


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_seeded_networks_give_pictures(name):
    module = networks.seeded(networks.NETWORKS[name][1])
    deviation = module(networks.image(1, 3, 32, 32)).std()
    assert 0.2 < deviation < 0.3


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_ncnn_computes_what_the_network_does(name):
    pytest.importorskip("ncnn")
    from esr_kernels.benchmark.peers import PEERS

    module = networks.seeded(networks.NETWORKS[name][1])
    given = problem.Problem(name, module, (networks.image(1, 3, 17, 31),), lambda: module)
    with torch.no_grad():
        implementation = PEERS["ncnn"](given, 1)
        contest.check(implementation.tensors(implementation.call()), given)


def test_ncnn_export_names_what_it_does_not_know():
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Softplus())
    with pytest.raises(RuntimeError, match=r"no ncnn layer here for.*Softplus"):
        ncnn_export.export(module, torch.rand(1, 3, 8, 8))


@pytest.fixture
def small_comparison(monkeypatch):
    """Implementations that are quickly made, and few rounds."""
    ways = {name: torch_ways.TORCH_WAYS[name] for name in ("ours", "eager")}
    monkeypatch.setattr(compare, "TORCH_WAYS", ways)
    monkeypatch.setattr(compare, "PEERS", {})
    ours = torch_ways.through(backends.REFERENCE, CPU)
    monkeypatch.setattr(compare, "per_backend", lambda: {"ours (reference)": ours})
    monkeypatch.setattr(compare, "LEAST_ROUNDS", 2)


def test_compare(small_comparison):
    threads = torch.get_num_threads()
    found = compare.compare(models.SPAN(8), [(9, 11), (16, 16)], threads=[1], time_s=0)
    assert [c["case"] for c in found["cases"]] == ["span 9x11", "span 16x16"]
    for one in found["cases"]:
        assert (one["threads"], one["rounds"], one["group"]) == (1, 2, "models")
        assert set(one["ms"]) == set(one["spread_ms"]) == {"ours", "ours (reference)", "eager"}
        for name, median in one["ms"].items():
            low, high = one["spread_ms"][name]
            assert 0 < low <= median <= high
    assert torch.get_num_threads() == threads
    assert "span 9x11" in tables.terminal_tables(found) and "**" in report.result_table(found)


def test_every_backend_takes_part(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(backends, "usable", lambda device: ["cpu", "reference"])
    assert list(torch_ways.per_backend()) == ["ours (reference)"]
    on_gpu = {"cuda": ["triton", "reference"], "cpu": ["cpu", "reference"]}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(backends, "usable", lambda device: on_gpu[device.type])
    assert list(torch_ways.per_backend()) == ["ours (triton)", "ours (reference)"]


def test_an_implementation_keeps_its_backend(monkeypatch):
    chosen, real = [], backends.choose

    def spy(*arguments):
        chosen.append(real(*arguments).backend)
        return real(*arguments)

    monkeypatch.setattr("esr_kernels.ops._define.choose", spy)
    module = models.SPAN(8).eval().requires_grad_(False)
    given = problem.Problem(
        "span", module, (torch.rand(1, 3, 9, 11),), lambda: fusion.accelerate(copy.deepcopy(module))
    )
    with torch.no_grad():
        implementation = torch_ways.through(backends.REFERENCE, CPU)(given, 1)
        chosen.clear()
        result = implementation.call()
    assert chosen and set(chosen) == {backends.REFERENCE}
    contest.check(result, given)


def test_plot(monkeypatch):
    cases = case(ours=20.0, eager=100.0), case(threads=2, ours=12.0, eager=60.0, OpenVINO=9.0)
    text = plot.draw(result(*cases), "svg").decode()
    # Letters are drawn as curves, but each text stands in a comment before it.
    for word in ("Some CPU 9000", "torch 2.11", "openvino 2026.1", "SPAN-28 256x256, 1 thread"):
        assert word in text
    for label in ("20.0 ms, 1.00x", "60.0 ms, 5.00x", "9.00 ms, 0.75x", "eager", "OpenVINO"):
        assert f"<!-- {label} -->" in text
    assert plot.draw(result(*cases), "png").startswith(b"\x89PNG")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ValueError, match="pip install matplotlib"):
        plot.draw(result(*cases), "png")


def test_bench_command(small_comparison, tmp_path, capsys):
    torch.save(models.SPAN(8).state_dict(), tmp_path / "mine.pth")
    arguments = f"--model {tmp_path}/mine.pth --size 8x9 --size 9x8 --threads 1 --seconds 0"
    arguments += f" --save {tmp_path}/mine.json --plot {tmp_path}/mine.SVG"
    assert main.main(["bench", *arguments.split()]) == 0
    assert "<svg" in (tmp_path / "mine.SVG").read_text()
    kept = json.loads((tmp_path / "mine.json").read_text())
    assert [case["case"] for case in kept["cases"]] == ["mine 8x9", "mine 9x8"]
    assert kept["machine"]["command"].startswith("esr-kernels")
    assert "mine 8x9" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--size", "8", "'8' is not a height and width"),
        ("--plot", "mine.jpg", "'mine.jpg' is not a plot file"),
        ("--threads", "0", "'0' is no number of threads: 1 is the least"),
        *[("--seconds", value, f"'{value}' is no time in seconds") for value in ("-1", "nan", "x")],
    ],
)
def test_bench_refuses_values(option, value, words, capsys):
    with pytest.raises(SystemExit):
        main.main(["bench", f"{option}={value}"])
    assert words in capsys.readouterr().err
