"""What the scenarios stand on: events that know their id, and a table that tells of every failure."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import fastavro
import pytest
from rich.console import Console

from chaos.events import GOOD, LENGTH, Template, identity, scoring
from chaos.oracle import Evidence, judge
from chaos.outcome import Outcome, Row
from chaos.play import play
from chaos.report import Run, details, document, markdown, table
from chaos.scenario import Place, Scenario
from chaos.scenarios import scenarios
from tests.kafka.broker import EmbeddedKafka
from tests.way.events import CONFLUENT, SCHEMA, custom

if TYPE_CHECKING:
    from collections.abc import Iterator

LOST = judge(Evidence(produced={"a", "b"}, received={"a": 2}, stored={"a"}))


def run(*outcomes: Outcome) -> Run:
    rows = [Row(scenario="S1", claim="nothing is lost", outcome=each, seconds=1.5) for each in outcomes]
    return Run(rows=rows, seed=7, full=False, broker="a broker", seconds=3)


@pytest.mark.parametrize("template", [GOOD, scoring("München", rows=3)])
def test_an_event_holds_the_id_that_was_spliced_in(template: Template) -> None:
    event = identity("0a1b2c3d", 42)
    value = template.value(event)
    assert len(event) == LENGTH
    assert value.startswith(CONFLUENT)
    stream = io.BytesIO(value[len(CONFLUENT) :])
    record = fastavro.schemaless_reader(stream, SCHEMA, None)
    assert isinstance(record, dict)
    assert record["scoring_id"] == event == "0a1b2c3d-00000042"
    assert stream.read() == b""


def test_an_event_that_holds_the_place_of_the_id_twice_makes_no_template() -> None:
    with pytest.raises(ValueError, match="no template"):
        Template.of(custom() | {"attributes": {"trace": "#" * LENGTH}})


def test_every_scenario_has_a_name_of_its_own_and_they_come_in_the_order_of_the_list() -> None:
    names = [each.name for each in scenarios()]
    assert len(set(names)) == len(names)
    assert names == sorted(names, key=lambda name: int(name[1:]))


def test_a_failure_is_told_with_its_reason_in_every_form() -> None:
    found = run(Outcome(variant="range", judgement=LOST, faults=tuple(LOST.faults()), notes={"kills": "3"}), Outcome())
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(table(found), details(found))
    for text in (console.export_text(), markdown(found)):
        assert "S1 range" in text
        assert "FAILED" in text
        assert "1 missing: b" in text
        assert "kills: 3" in text
        assert "seed 7" in text
    told = json.loads(json.dumps(document(found)))
    assert not told["passed"]
    assert told["rows"][0]["faults"] == ["1 missing: b"]
    assert (told["rows"][0]["events"], told["rows"][0]["missing"], told["rows"][0]["duplicates"]) == (2, 1, 1)


def test_a_run_passes_only_where_all_did_and_there_were_any() -> None:
    assert run(Outcome(), Outcome()).passed
    assert not run(Outcome(), Outcome(faults=("lost",))).passed
    assert not run().passed


def test_a_scenario_that_breaks_is_one_that_failed_behind_those_that_it_had_played(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def breaks(_: Place) -> Iterator[Outcome]:
        yield Outcome(variant="first")
        raise LookupError("no such thing")

    first, second = play(Scenario("S0", "a claim", breaks), EmbeddedKafka(), full=False, seed=1)
    assert first.outcome.passed
    assert second.outcome.faults == ("broke: LookupError: no such thing",)
    assert "LookupError" in capsys.readouterr().err
