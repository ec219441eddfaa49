"""Tables, plot and plan are what the results say, and the documents are what they were made of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from bench import document, scaling, tables
from bench.chart import Bar, Panel, svg
from bench.report import read, write
from tests.bench.made import result, run

if TYPE_CHECKING:
    from pathlib import Path

RUNS = [
    (0, run(rate=60_000, cpu=1.5)),
    (0, run("naive", rate=20_000, cpu=3)),
    (1, run(rate=40_000, cpu=1.7)),
    (1, run("naive", rate=30_000, cpu=5)),
]


def test_the_documents_are_made_of_the_kept_results() -> None:
    stale = [
        path.name for path, text in document.made(read(), document.DOCS).items() if path.read_text("utf-8") != text
    ]
    assert stale == [], "python -m bench document"


def test_the_summary_has_medians_with_both_ends_fastest_first_and_who_is_missing() -> None:
    rows = tables.summary(result(RUNS)).rows
    assert [row[0] for row in rows] == ["worker", "naive", "bytewax"]
    assert rows[0][3:5] == ["50.0k (40.0k-60.0k)", "1.60 (1.50-1.70)"]
    assert rows[2][1] == "not measured: no wheel"


def test_a_verdict_says_goal_measured_and_met() -> None:
    (row,) = tables.verdicts(result(RUNS)).rows
    assert row == ["typed: records/s / best peer", "at least 2 times", "2.50 times", "met"]


def test_a_table_is_as_wide_in_every_line() -> None:
    table = tables.Table(["a", "b"], [["long name", "1"], ["c", "1,000"]])
    assert table.text().splitlines() == ["a              b", "long name      1", "c          1,000"]
    assert table.markdown().splitlines() == ["| a | b |", "| --- | ---: |", "| long name | 1 |", "| c | 1,000 |"]


def test_what_was_not_measured_says_how_to() -> None:
    text = "before\n<!-- bench: backlog -->\nold\n<!-- /bench -->\nafter"
    found = document.filled(text, {})
    assert "old" not in found
    assert "`python -m bench backlog --keep`" in found
    assert (found[:6], found[-5:]) == ("before", "after")


def test_filling_twice_is_filling_once() -> None:
    text = "<!-- bench: compare -->\n<!-- /bench -->\n\n<!-- bench: scaling plan -->\n<!-- /bench -->\n"
    results = {"compare": result(RUNS)}
    found = document.filled(text, results)
    assert found.count("worker") == 1
    assert document.filled(found, results) == found


def test_an_unknown_part_is_an_error() -> None:
    with pytest.raises(KeyError):
        document.filled("<!-- bench: nothing -->\n<!-- /bench -->", {})


def test_the_documents_have_every_part() -> None:
    texts = "".join((document.DOCS / name).read_text("utf-8") for name in document.NAMES)
    assert set(re.findall(r"<!-- bench: ([\w ]+) -->", texts)) == document.PARTS.keys()


def test_check_finds_what_is_stale_and_writes_nothing(tmp_path: Path) -> None:
    for name in document.NAMES:
        (tmp_path / name).write_text("<!-- bench: stages -->\nstale\n<!-- /bench -->\n")
    assert document.main(check=True, results=tmp_path, docs=tmp_path) == 1
    assert "stale" in (tmp_path / "scaling.md").read_text()
    assert document.main(check=False, results=tmp_path, docs=tmp_path) == 0
    assert document.main(check=True, results=tmp_path, docs=tmp_path) == 0


def test_settings_stand_in_their_order_with_the_adaptive_one_last() -> None:
    names = ["worker, adaptive", "worker, fixed at 16", "worker, fixed at 2"]
    found = document.matrix(result([(0, run(name)) for name in names], "adaptive"))
    assert [row[0] for row in found.rows[:3]] == names[::-1]


def test_bars_are_as_long_as_their_values_and_names_are_escaped() -> None:
    bars = [Bar("a<b", 100, 90, 110, "100", "ours"), Bar("c", 50, 50, 50, "50", "peer")]
    text = svg([Panel("one & two", bars)])
    tree = ET.fromstring(text)  # noqa: S314 - made a line above
    ground, *rectangles = tree.iter("{http://www.w3.org/2000/svg}rect")
    long, short = (float(each.attrib["width"]) for each in rectangles)
    assert long == pytest.approx(2 * short, abs=0.1)
    assert long < float(ground.attrib["width"])
    assert {"a<b", "one & two"} <= {each.text for each in tree.iter("{http://www.w3.org/2000/svg}text")}


def test_the_plot_has_a_panel_for_each_kind_and_measure() -> None:
    runs = [*RUNS, *((number, run(name, kind="body", rate=80_000)) for number in (0, 1) for name in ("worker", "go"))]
    text = document.plot(result(runs))
    assert len(re.findall("<g ", text)) == 4
    assert text.count("worker") == 4


def test_needs_grow_with_the_rate_and_follow_from_the_cost() -> None:
    given = scaling.Cost(cpu=20e-6, posted=800, rss=100e6)
    found = scaling.needs(100_000, given, scaling.Assumed(latency=0.2, busy=0.5))
    assert (found.processes, found.pods, found.partitions) == (4, 1, 8)
    assert (found.posts, found.at_once, found.brokers) == (200, 40, 3)
    assert found.posted_gigabits == pytest.approx(0.64)
    more = scaling.needs(10_000_000, given, scaling.Assumed(latency=0.2, busy=0.5))
    assert abs(more.processes - 100 * found.processes) <= 1
    assert more.brokers == 180


def test_the_cost_is_that_before_the_slowest_endpoint() -> None:
    slow = run(cpu=2.0, endpoint="20 ms")
    found = scaling.cost(result([(0, run(cpu=1.0)), (0, slow)]))
    assert found.cpu == pytest.approx(2.0e-5)
    assert found.posted == pytest.approx(700)


def test_a_result_is_read_as_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.report.RESULTS", tmp_path)
    made = result(RUNS)
    assert read(write(made, keep=True).parent) == {"compare": made}


def test_a_result_names_no_host_and_no_path() -> None:
    found = result(RUNS)
    assert set(found["machine"]) == {"cpu", "cores", "memory_gb", "system", "python", "librdkafka"}
    assert not re.search(r'"/|\w+:\d{4,5}', str(found["machine"]) + found["broker"])
