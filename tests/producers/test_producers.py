"""Each language's example producer: what it sends is on the topic and in the data mart to the last bit."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.producers.reference import (
    CASES,
    KINDS,
    SIDES,
    exactly,
    expected,
    micros,
    moment,
    murmur2,
    on_topic,
    table_of,
)
from tests.way.stage import Stage, until
from tests.way.test_engines import undeclare

if TYPE_CHECKING:
    from tests.conftest import TopicFactory
    from tests.kafka.broker import Broker
    from tests.producers.languages import Language

PARTITIONS = 4
CASES_FILE = "examples/producers/cases.json"


def send(language: Language, bootstrap: str, topic: str, *more: str) -> str:
    """Run a producer that must succeed; what it said."""
    done = language.start("--bootstrap", bootstrap, "--topic", topic, "--asset", "action", *more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip().splitlines()[-1]


@pytest.mark.kafka
@pytest.mark.timeout(1800)  # a first build is slow
def test_every_value_that_a_language_sends_is_on_the_topic_and_becomes_the_row_that_it_was(
    stage: Stage, language: Language, events: int
) -> None:
    undeclare(stage, stage.seeded["custom"])
    wanted = expected(language.name, events)
    cases = send(language, stage.bootstrap, stage.topic, "--cases", CASES_FILE, "--binding", "custom")
    assert cases == f"delivered: {len(CASES) * len(KINDS)} of {len(CASES) * len(KINDS)}"
    simple = send(language, stage.bootstrap, stage.topic, "--count", str(events))
    assert simple == f"delivered: {events} of {events}"
    _check_topic(stage, wanted)
    with stage.worker() as worker:
        until(lambda: stage.sandbox.stats()["distinct"] == len(wanted), f"{len(wanted)} records", 60 + events / 50)
        code, log = worker.stop()
    assert code == 0, log
    assert stage.sandbox.stats()["errors"] == 0
    _check_records(stage, wanted)
    _check_rows(stage, wanted)


def _check_topic(stage: Stage, wanted: dict[str, dict[str, Any]]) -> None:
    """What a reference decoder reads: each event once, under its scoring id, in the partition of its key."""
    found = {key: (partition, event) for key, partition, event in on_topic(stage.bootstrap, stage.topic)}
    assert found.keys() == wanted.keys()
    for name, (partition, event) in found.items():
        assert partition == murmur2(name.encode()) % PARTITIONS
        assert event["scoring_id"] == name
        assert {side: exactly(table_of(event[side])) for side in SIDES} == {
            side: exactly(wanted[name][side]) for side in SIDES
        }, name
        assert (event["asset"], event["deployment"]) == ("action", None)
        if "scored_at" in wanted[name]:
            case = wanted[name]
            assert event["binding"] == "custom"
            assert micros(event["scored_at"]) == case["scored_at"]
            assert event["response_time_ms"] == case["response_time_ms"]
            assert event["attributes"] == case["attributes"]
            kinds = {event[side][0].rpartition(".")[2].lower() for side in SIDES}
            assert kinds == {name.split("-")[1]}


def _check_records(stage: Stage, wanted: dict[str, dict[str, Any]]) -> None:
    """What the worker posted: each record once, with the values, time and response time of its event."""
    records = stage.sandbox.records(stage.seeded["custom"].subscription_id)
    assert Counter(record["scoring_id"] for record in records) == Counter(dict.fromkeys(wanted, 1))
    for record in records:
        case = wanted[record["scoring_id"]]
        for side in SIDES:
            assert exactly(record[side]) == exactly(case[side]), record["scoring_id"]
        if "scored_at" in case:
            assert case["scored_at"] is None or record["scoring_timestamp"] == moment(case["scored_at"])
            assert record.get("response_time") == case["response_time_ms"]


def _check_rows(stage: Stage, wanted: dict[str, dict[str, Any]]) -> None:
    """What the data mart stored: a row for each row, with the cells of both sides."""
    rows = {row["id"]: row for row in stage.sandbox.rows(stage.seeded["custom"].subscription_id)}
    expected_rows = {
        f"{name}-{number}": cells for name, case in wanted.items() for number, cells in enumerate(_cells(case), 1)
    }
    assert rows.keys() == expected_rows.keys()
    for name, cells in expected_rows.items():
        assert exactly(rows[name]["values"]) == exactly(cells), name


def _cells(case: dict[str, Any]) -> list[list[Any]]:
    """The cells of each row: asked, beside it, answered. What has no columns is one cell."""
    asked, answered = (case[side]["values"] for side in SIDES)
    beside = case["request"].get("meta", {"values": [[] for _ in asked]})["values"]
    named = "fields" in case["request"]
    return [
        [*(row if named else [row]), *more, *answer] for row, more, answer in zip(asked, beside, answered, strict=True)
    ]


@pytest.mark.kafka
@pytest.mark.timeout(1800)
def test_without_more_words_one_scoring_is_sent_that_becomes_a_row(stage: Stage, language: Language) -> None:
    assert send(language, stage.bootstrap, stage.topic) == "delivered: 1 of 1"
    subscription = stage.seeded["custom"].subscription_id
    with stage.worker() as worker:
        until(lambda: bool(stage.sandbox.rows(subscription)), "a stored row")
        code, log = worker.stop()
    assert code == 0, log
    (row,) = stage.sandbox.rows(subscription)
    assert row["values"] == [41, 37.5, 52000, "retail", "no", [1 - 41.5 / 101, 41.5 / 101]]


@pytest.mark.kafka
@pytest.mark.timeout(1800)
def test_what_the_broker_refuses_is_named_and_the_program_fails(
    broker: Broker, make_topic: TopicFactory, language: Language
) -> None:
    topic = make_topic(partitions=1, config={"max.message.bytes": "100"})
    done = language.start("--bootstrap", broker.bootstrap, "--topic", topic, "--count", "3")
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.strip().splitlines()[-1] == "delivered: 0 of 3"
    told = [line for line in done.stderr.splitlines() if line.startswith("not delivered: ")]
    assert {line.split(": ")[1] for line in told} == {f"{language.name}-{number}" for number in range(3)}
    assert all(line.split(": ", 2)[2].strip() for line in told)
