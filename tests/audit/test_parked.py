"""Letters that were parked, or are of a topic made anew, and JSON events: what audit and trace know of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.audit.play import Run, commit
from tests.way.events import confluent, custom
from tests.way.stage import Stage, until
from worker.config import Kafka
from worker.dlq.headers import PARKED, PARKING, TOPIC_ID
from worker.edges.cluster import describe
from worker.sandbox.seed import seed
from worker.sandbox.serve import running
from worker.trace.life import Life, Place, lies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import TopicFactory
    from tests.kafka.broker import Broker

SINCE = ("--from", "2020-01-01T00:00:00Z")


@pytest.fixture
def fresh(broker: Broker, make_topic: TopicFactory, tmp_path: Path) -> Iterator[Run]:
    """A stage on which nothing was played yet."""
    topic, letters = make_topic(prefix="events"), make_topic(prefix="letters")
    with running() as sandbox:
        yield Run(Stage(broker.bootstrap, topic, letters, f"group-{topic}", sandbox, seed(sandbox.url)), tmp_path)


@pytest.mark.kafka
def test_a_letter_that_was_parked_is_one_letter_and_no_gap_once_the_dead_letter_topic_has_lost_it(
    fresh: Run, broker: Broker
) -> None:
    stage = fresh.stage
    stage.produce([b"\xff not an event"], partition=0)
    with stage.worker() as worker:
        until(lambda: stage.committed() == 1, "the commit of what is refused")
        worker.stop()
    (letter,) = stage.dead_letters(1)
    place = f"{letter.topic()}:{letter.partition()}:{letter.offset()}"
    broker.create_topic(stage.letters + PARKING, 1, {})
    producer = Producer({"bootstrap.servers": stage.bootstrap})
    headers = [*(letter.headers() or ()), (PARKED, place.encode())]
    producer.produce(stage.letters + PARKING, letter.value(), headers=headers)
    assert producer.flush(30) == 0

    _, (life,) = fresh.document("trace", f"{stage.topic}:0:0")
    assert [each["place"]["topic"] for each in life["letters"]] == [stage.letters]
    end = TopicPartition(stage.letters, letter.partition() or 0, (letter.offset() or 0) + 1)
    admin = AdminClient({"bootstrap.servers": stage.bootstrap})
    for future in admin.delete_records([end]).values():
        future.result(30)
    code, found = fresh.document("audit", *SINCE, "--wait", "0")
    assert (code, found["dead_lettered"], found["missing"], found["letters_without_place"]) == (0, 1, 0, 0)
    _, (life,) = fresh.document("trace", f"{stage.letters}{PARKING}:0:0")
    assert (life["verdict"], life["first"]["offset"]) == ("dead-lettered", 0)
    assert [each["place"]["topic"] for each in life["letters"]] == [stage.letters + PARKING]


@pytest.mark.kafka
def test_a_json_event_is_found_by_its_id_however_that_is_escaped(fresh: Run) -> None:
    stage = fresh.stage
    stage.settings["EVENTS__FORMATS"] = json.dumps({stage.topic: "json"})
    tables = {"request": {"fields": ["a"], "values": [[1]]}, "response": {"fields": ["p"], "values": [[2]]}}
    stage.produce([json.dumps({"asset": "action", "scoring_id": "gegebén-1", **tables}).encode()], partition=0)
    code, (life,) = fresh.document("trace", "gegebén-1", *SINCE)
    assert (code, life["scoring_id"], life["framing"], life["schema"]) == (0, "gegebén-1", "JSON event", None)


@pytest.mark.kafka
def test_a_letter_of_a_topic_that_was_made_anew_is_none_of_the_event_that_has_its_offset_now(fresh: Run) -> None:
    stage = fresh.stage
    stage.produce([confluent(custom() | {"scoring_id": f"given-{n}"}) for n in range(3)], partition=0)
    producer = Producer({"bootstrap.servers": stage.bootstrap})
    present = describe(Kafka(bootstrap_servers=stage.bootstrap), [stage.topic]).topic_ids[stage.topic]
    told = [[(TOPIC_ID, b"of the one before")], [(TOPIC_ID, present.encode())], []]
    for offset, own in enumerate(told):
        names = zip(("topic", "partition", "offset"), (stage.topic, 0, offset), strict=True)
        place = [(f"__dlq.errors.{name}", str(each).encode()) for name, each in names]
        headers: list[tuple[str, str | bytes | None]] = [*place, ("payload-worker.error.code", b"rejected"), *own]
        producer.produce(stage.letters, b"", partition=0, headers=headers)
    assert producer.flush(30) == 0
    commit(stage, 3)

    code, found = fresh.document("audit", *SINCE, "--wait", "0")
    assert code == 1
    assert (found["letters_of_topics_before"], found["dead_lettered"], found["missing"]) == (1, 2, 1)
    assert [(each["offset_from"], each["offset_to"]) for each in found["not_held"]] == [(0, 1), (1, 3)]
    verdicts = {"0": "missing", "1": "dead-lettered", "2": "dead-lettered"}
    for at, verdict in verdicts.items():
        _, (life,) = fresh.document("trace", f"{stage.topic}:0:{at}")
        assert (life["verdict"], len(life["letters"])) == (verdict, verdict != "missing")
    code, _, err = fresh.command("trace", f"{stage.letters}:0:0")
    assert (code, f"of a topic {stage.topic} that was deleted" in err) == (1, True), err


def test_what_nobody_could_look_for_is_not_called_missing() -> None:
    place = Place("events", 0, 5)
    life = Life(place, [lies(place, 0, None, b"", committed=9)], refusal="unknown-subscription (asset-unknown): …")
    life.judge()
    assert life.verdict == "not-known"
    life.subscription, life.scoring_id, life.expected_rows = "s", "i", 1
    life.judge()
    assert life.verdict == "missing"
