"""From an event on Kafka to a row in the data mart."""

from __future__ import annotations

from tests.way.events import confluent, custom, many
from tests.way.stage import Stage, until


def test_an_event_becomes_a_stored_row_and_its_offset_is_committed(stage: Stage) -> None:
    stage.produce([confluent(custom())])
    subscription = stage.seeded["custom"].subscription_id
    with stage.worker() as worker:
        until(lambda: bool(stage.sandbox.rows(subscription)), "a stored row")
        code, log = worker.stop()
    assert code == 0, log
    (record,) = stage.sandbox.records(subscription)
    assert record["request"]["values"] == [[0, 37.5, None, "sector 0"]]
    assert record["deployment_id"] == stage.seeded["custom"].deployment_id
    assert stage.committed() == 1


def test_a_thousand_events_are_stored_once_each(stage: Stage) -> None:
    stage.produce(map(confluent, many(1000)))
    subscription = stage.seeded["custom"].subscription_id
    with stage.worker() as worker:
        until(lambda: stage.sandbox.stats()["stored_rows"] == 1000, "1000 stored rows")
        code, log = worker.stop()
    assert code == 0, log
    received = stage.sandbox.received(subscription)
    assert {times for times, _ in received.values()} == {1}
    assert len(received) == 1000
    assert stage.committed() == 1000
