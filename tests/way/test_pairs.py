"""A stream as KServe's and Seldon's loggers make it, on real Kafka: rows equal, the unpaired explained, none lost."""

from __future__ import annotations

import json
import random
import signal
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pytest
from confluent_kafka import Producer

from tests.way.clouds import Event, scorings, stream
from tests.way.registry import added_headers, codes
from tests.way.stage import Stage, until

if TYPE_CHECKING:
    from collections.abc import Iterable

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

COUNT: Final = 600
IDS: Final = ("binding_id", "subscription_id", "deployment_id")


def produce(stage: Stage, events: Iterable[Event]) -> None:
    """Write events, keyed by their id."""
    producer = Producer({"bootstrap.servers": stage.bootstrap, "linger.ms": 5})
    for event in events:
        headers: Any = event.headers
        producer.produce(stage.topic, event.value, event.id.encode(), headers=headers)
    assert producer.flush(30) == 0


def settings(stage: Stage) -> dict[str, str]:
    return {"EVENTS__FORMATS": json.dumps({stage.topic: "cloudevents"}), "EVENTS__PAIRING_SECONDS": "3"}


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_pairs_are_rows_and_the_unpaired_are_explained_across_a_restart_in_the_middle(
    stage: Stage, end: signal.Signals
) -> None:
    stage.settings |= settings(stage) | {"BATCH__RECORDS": "20", "KAFKA__CONSUMER__SESSION_TIMEOUT_MS": "6000"}
    chance = random.Random(7)  # noqa: S311 - a seed, not a secret
    made = list(scorings(COUNT, chance))
    events, unpaired = stream(made, chance, alone=0.05)
    subscription = stage.seeded["custom"].subscription_id
    whole = {scoring.stored: scoring.record for scoring in made if scoring.id not in unpaired}

    # what is cut in the middle has requests before the cut whose responses are behind it, and the other way round
    produce(stage, events[: len(events) // 2])
    with stage.worker() as worker:
        until(lambda: len(stage.sandbox.received(subscription)) > COUNT // 4, "a quarter of the scorings")
        until(lambda: stage.committed() > 0, "a commit")
        worker.signal(end)
        code = worker.process.wait(30)
        assert code == (0 if end is signal.SIGTERM else -end), worker.log()
    produce(stage, events[len(events) // 2 :])
    with stage.worker() as worker:
        until(lambda: len(stage.sandbox.received(subscription)) >= len(whole), "all scorings")
        until(lambda: stage.committed() == len(events), "the unpaired, and the last commit")
        code, log = worker.stop()
    assert code == 0, log

    letters = stage.dead_letters(len(unpaired))
    found = Counter(
        (message.key().decode(), added_headers(message)["payload-worker.error.code"].decode())  # type: ignore[union-attr]
        for message in letters
    )
    records = {record["scoring_id"]: record for record in stage.sandbox.records(subscription)}
    assert {name: _without_place(record) for name, record in records.items()} == {
        name: record | ({} if "scoring_timestamp" in record else {"scoring_timestamp": "Kafka's"})
        for name, record in whole.items()
    }
    assert set(found) == {(name, f"unpaired-{side}") for name, side in unpaired.items()}
    times = {received for received, _ in stage.sandbox.received(subscription).values()}
    if end is signal.SIGTERM:
        assert times == {1}, "by request nothing comes twice"
        assert set(found.values()) == {1}


@pytest.mark.parametrize("protocol", ["cooperative-sticky", "consumer"])
def test_workers_that_come_and_go_join_every_pair_and_leave_none_alone(stage: Stage, protocol: str) -> None:
    named = "group.protocol" if protocol == "consumer" else "partition.assignment.strategy"
    stage.settings |= settings(stage) | {"KAFKA__CONSUMER": json.dumps({named: protocol})}
    stage.settings["EVENTS__PAIRING_SECONDS"] = "600"  # longer than any rebalance
    chance = random.Random(8)  # noqa: S311 - a seed, not a secret
    made = list(scorings(COUNT, chance))
    events, unpaired = stream(made, chance, alone=0.0)
    assert not unpaired
    subscription = stage.seeded["custom"].subscription_id
    parts = _sixths(events)
    with stage.worker() as first:
        produce(stage, parts[0])
        until(lambda: len(first.lines("partitions.assigned")) > 0, "the first worker's partitions")
        produce(stage, parts[1])
        with stage.worker() as second:
            until(lambda: any(each["partitions"] for each in second.lines("partitions.assigned")), "the second's")
            produce(stage, parts[2])
            produce(stage, parts[3])
            code, log = first.stop()
            assert code == 0, log
            produce(stage, parts[4])
            produce(stage, parts[5])
            until(lambda: len(stage.sandbox.received(subscription)) >= COUNT, "all scorings")
            until(lambda: stage.committed() == len(events), "the last commit")
            code, log = second.stop()
            assert code == 0, log
    assert set(stage.sandbox.received(subscription)) == {scoring.stored for scoring in made}
    assert stage.dead_letters(0) == []


def test_a_topic_of_json_events_is_read_as_such_and_its_faults_are_explained(stage: Stage) -> None:
    stage.settings["EVENTS__FORMATS"] = json.dumps({stage.topic: "json"})
    table = {"fields": ["age", "income"], "values": [[2**53 + 1, None]]}
    answer = {"content_type": "application/json", "data": '{"fields":["prediction"],"values":[["yes"]]}'}
    events = [{"asset": "action", "scoring_id": f"j-{at}", "request": table, "response": answer} for at in range(50)]
    bad = [{**events[0], "scored_at": "noon"}, {**events[0], "surplus": 1}]
    stage.produce(json.dumps(event).encode() for event in [*events, *bad])
    with stage.worker() as worker:
        until(lambda: stage.committed() == len(events) + len(bad), "the last commit")
        code, log = worker.stop()
    assert code == 0, log
    records = stage.sandbox.records(stage.seeded["custom"].subscription_id)
    assert {record["scoring_id"] for record in records} == {event["scoring_id"] for event in events}
    assert all(record["request"] == table for record in records)
    assert codes(stage.dead_letters(2)) == {("decode", "not-an-event"): 2}


def _sixths(events: list[Event]) -> list[list[Event]]:
    """Cut anywhere: halves of many scorings are on both sides of each cut."""
    size = len(events) // 6 + 1
    return [events[at : at + size] for at in range(0, len(events), size)]


def _without_place(record: dict[str, Any]) -> dict[str, Any]:
    """Without the ids of its target; Seldon's own events have no time, so that Kafka's stands in for it."""
    seldon = {"scoring_timestamp": "Kafka's"} if "seldon" in record["scoring_id"] else {}
    return {name: value for name, value in record.items() if name not in IDS} | seldon
