"""What readers see of kept results: tables and a chart."""

import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from made_results import case, result

PROJECT = Path(__file__).resolve().parents[2]
# ``bench`` is a folder of the checkout, no part of the installed package.
sys.path.insert(0, str(PROJECT))

from bench import chart, hosts_table, report  # noqa: E402


def test_table_takes_the_contest_with_the_peers():
    table = report.result_table(
        result(
            case("RLFN 256x256", 2, ours=8.0, eager=40.0),
            case(threads=2, ours=5.0, eager=20.0, OpenVINO=15.0),
            case(threads=1, ours=9.0, eager=36.0, OpenVINO=27.0),
            case(threads=1, group="models", ours=1.0, eager=1.0),
            case("28-28 silu", group="conv_act", ours=1.0, eager=3.0),
        )
    )
    assert table.splitlines()[:5] == [
        "| network | picture | threads | ours, ms | eager | OpenVINO |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
        "| SPAN-28 | 256x256 | 1 | **9.00** | 4.0x | 3.0x |",
        "| SPAN-28 | 256x256 | 2 | **5.00** | 4.0x | 3.0x |",
        "| RLFN | 256x256 | 2 | **8.00** | 5.0x |  |",
    ]
    for word in ("Some CPU 9000", "openvino 2026.1", "abc1234", "official weights", "`pytest"):
        assert word in table


def test_keep_and_write_page_and_chart(tmp_path, monkeypatch, capsys):
    page, results = tmp_path / "benchmarks.md", tmp_path / "results"
    results.mkdir()
    monkeypatch.setattr(report, "PAGE", page)
    monkeypatch.setattr(report, "CHART", tmp_path / "speed.svg")
    monkeypatch.setattr(report, "RESULTS", results)
    assert report.main([]) == 1 and "no results" in capsys.readouterr().err
    assert report.main(["--keep"]) == 1 and "latest.json" in capsys.readouterr().err

    old = result(*both(ours=7.0, eager=9.0), date="2025-01-01", commit="0ld")
    (results / "some-cpu-9000_0ld.json").write_text(json.dumps(old))
    (results / "latest.json").write_text(json.dumps(result(*both(ours=5.0, eager=20.0))))
    page.write_text("no place")
    assert report.main(["--keep"]) == 1 and report.START in capsys.readouterr().err
    assert (results / "some-cpu-9000_abc1234.json").exists()

    page.write_text(f"before\n{report.START}\nold table\n{report.END}\nafter\n")
    for _ in range(2):  # the second time changes nothing
        assert report.main([]) == 0
        text = page.read_text()
        assert text.startswith(f"before\n{report.START}\n| network")
        assert text.endswith(f"\n{report.END}\nafter\n")
        assert text.count("**5.00**") == 2 and "old table" not in text and "**7.00**" not in text
    assert "2026-01-02" in (tmp_path / "speed.svg").read_text()


def both(**ms) -> list[dict]:
    return [case(f"{network} 256x256", **ms) for network in ("SPAN-28", "RLFN")]


def test_chart_takes_the_size_that_most_contestants_share():
    few, more = {"ours": 10.0, "eager": 40.0}, {"ours": 5.0, "eager": 20.0, "ncnn": 35.0}
    cases = [case("SPAN-28 64x64", 4, **more), case("SPAN-26 64x64", 4, **more)]
    for network in ("SPAN-28", "RLFN"):
        cases += [case(f"{network} 339x510", 2, **few), case(f"{network} 256x128", 1, **more)]
        cases += [case(f"{network} 256x128", 2, **more)]
    svg = chart.chart(result(*cases))
    words = [text for text in ElementTree.fromstring(svg).itertext() if text.strip()]
    assert "From 128×256 to 512×1024 pixels on 2 CPU threads" in words
    assert words.count("5.00 ms") == words.count("35.0 ms") == words.count("7.0×") == 2
    assert "40.0 ms" not in words and "OpenVINO" not in words
    labels = [word for word in words if word in {"esr_kernels", *chart.RIVALS}]
    assert labels == ["esr_kernels", "PyTorch", "ncnn"]
    widths = [float(x) for x in re.findall(r'class="(?:ours|rival)"[^>]* width="([\d.]+)"', svg)]
    assert widths[1] / widths[0] == pytest.approx(4, rel=0.01)
    assert widths[2] / widths[0] == pytest.approx(7, rel=0.01)


def test_chart_needs_both_networks():
    with pytest.raises(ValueError, match="no case of SPAN-28 and RLFN"):
        chart.chart(result(case(ours=1.0), case("RLFN 64x64", ours=1.0)))
    with pytest.raises(ValueError, match="no kept result has SPAN-28 and RLFN"):
        report.latest([result(case(ours=1.0))])


def test_page_and_chart_are_those_of_the_kept_results(tmp_path, monkeypatch):
    page, drawn = (report.PAGE.read_text(), report.CHART.read_text())
    monkeypatch.setattr(report, "PAGE", tmp_path / "benchmarks.md")
    monkeypatch.setattr(report, "CHART", tmp_path / "speed.svg")
    report.PAGE.write_text(page)
    assert report.main([]) == 0
    assert report.PAGE.read_text() == page, "run python bench/report.py"
    assert report.CHART.read_text() == drawn, "run python bench/report.py"


def test_keep_adds_the_name_of_another_file(tmp_path):
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(result(case(ours=1.0, eager=2.0))))
    assert report.keep(tmp_path, file) == tmp_path / "some-cpu-9000_abc1234_mine.json"


def test_contests_of_other_networks_do_not_replace_each_other():
    span, newer = result(case(ours=1.0)), result(case(ours=2.0), date="2026-02-02")
    other = result(case("mine 64x64", ours=3.0), date="2026-03-03")
    assert report.newest_per_machine([newer, other, span]) == [newer, other]
    assert "| mine | 64x64 | 1 | **3.00** |" in report.result_table(other)


def host_case(name: str, asked_px: int, side: int, **ms) -> dict:
    left = {"layer_norm": 9, "matmul": 8, "Linear": 8, "gelu": 2, "roll": 1}
    parts = {"title": "accelerated, float32 on cpu", "fast": 3, "steps": 31, "left": left}
    made = case(f"{name} {side}x{side}", 2, group="hosts", **ms)
    return made | {"asked_px": asked_px, "parts": parts}


def test_hosts_have_a_row_each_and_losers_come_first():
    cases = (
        host_case("Compact", 96, 96, ours=5.0, eager=20.0, channels_last=10.0),
        host_case("Compact", 256, 256, ours=5.0, eager=12.5, channels_last=15.0),
        host_case("Uformer", 96, 128, ours=8.0, eager=4.0),
        case("Uformer 128x128", 1, group="hosts", ours=1.0, eager=1.0),
        case(threads=2, ours=5.0, eager=20.0),
    )
    table = hosts_table.hosts_table(result(*cases))
    left = "layer_norm 9, matmul 8, Linear 8, gelu 2 and 1 more"
    assert table.splitlines()[:4] == [
        "| architecture | explain | left in torch | in programs | 96x96 | 256x256 |",
        "| --- | --- | --- | ---: | ---: | ---: |",
        f"| Uformer | accelerated | {left} | 3 of 31 | 0.50x |  |",
        f"| Compact | accelerated | {left} | 3 of 31 | 2.00x | 2.50x |",
    ]
    assert "Some CPU 9000" in table and "abc1234" in table


def test_the_page_of_hosts_is_written_from_the_newest_result_that_has_them(tmp_path, monkeypatch):
    pages = {name: tmp_path / f"{name}.md" for name in ("PAGE", "HOSTS_PAGE")}
    for name, page in pages.items():
        page.write_text(f"{report.START}\n{report.END}\n")
        monkeypatch.setattr(report, name, page)
    monkeypatch.setattr(report, "CHART", tmp_path / "speed.svg")
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    hosts = [host_case("Compact", 96, 96, ours=ms, eager=20.0) for ms in (5.0, 4.0)]
    kept = {
        "old": result(hosts[0], date="2025-01-01"),
        "new": result(hosts[1], date="2026-01-01"),
        "networks": result(*both(ours=5.0, eager=20.0), date="2026-03-01"),
    }
    for name, one in kept.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(one))
    assert report.main([]) == 0
    assert "5.00x" in pages["HOSTS_PAGE"].read_text()
    assert pages["PAGE"].read_text().count("| network |") == 1
