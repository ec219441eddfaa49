"""Events handed to a broker that is there, and to none: everything is acknowledged or told, within bounds of time."""

from __future__ import annotations

import json
import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.edges.peer import answer, peer
from tests.producers.reference import micros, murmur2, on_topic, table_of
from worker.edges.schemas import reader_schema
from worker.producer import (
    InvalidEventError,
    NotDeliveredError,
    PayloadProducer,
    ProducerError,
    QueueFullError,
    Table,
    UnreachableError,
)
from worker.producer.encoding import registered

if TYPE_CHECKING:
    import socket

    from tests.conftest import TopicFactory
    from tests.kafka.broker import Broker

NOWHERE = "127.0.0.1:1"
SCORING: dict[str, Any] = {
    "asset": "action",
    "request": {"fields": ["age"], "values": [[41.0]]},
    "response": Table(["prediction"], [["yes"]]),
}


def test_what_was_sent_is_on_the_topic_by_its_scoring_id(broker: Broker, make_topic: TopicFactory) -> None:
    topic = make_topic()
    at = datetime(2026, 1, 1, tzinfo=UTC)
    with PayloadProducer(broker.bootstrap, topic=topic, linger_ms=20) as producer:
        assert producer.partitions() == 4
        named = [producer.send(**SCORING, attributes={"number": str(number)}) for number in range(500)]
        named.append(producer.send(**SCORING, scoring_id="own", scored_at=at, binding="b", deployment="d"))
    assert (producer.delivered, len(producer)) == (501, 0)
    found = {key: (partition, event) for key, partition, event in on_topic(broker.bootstrap, topic)}
    assert found.keys() == set(named)
    assert len(named) == len(found) == 501
    for key, (partition, event) in found.items():
        assert event["scoring_id"] == key
        assert partition == murmur2(key.encode()) % 4
        assert json.dumps(table_of(event["request"])) == '{"fields": ["age"], "values": [[41.0]]}'
        assert table_of(event["response"]) == {"fields": ["prediction"], "values": [["yes"]]}
    own = found["own"][1]
    assert (own["binding"], own["deployment"], micros(own["scored_at"])) == ("b", "d", 1_767_225_600_000_000)


def test_what_no_broker_took_is_raised_at_the_end_with_count_and_reason() -> None:
    producer = PayloadProducer(NOWHERE, delivery_timeout_ms=300, log_level=0)
    with (
        pytest.raises(NotDeliveredError, match=r"2 events are not known to be written .*timed out: 2") as caught,
        producer,
    ):
        sent = [producer.send(**SCORING) for _ in range(2)]
    assert sorted(caught.value.scoring_ids) == sorted(sent)
    assert (caught.value.count, producer.delivered) == (2, 0)
    producer.flush()  # what was told is not told again


def test_who_is_told_of_one_event_hears_that_it_was_not_delivered_and_why() -> None:
    """As `payload-worker produce` is, which counts by it; and nobody else hears of that event."""
    told: list[str | None] = []
    producer = PayloadProducer(NOWHERE, delivery_timeout_ms=300, log_level=0)
    producer.hand_over("a", b"x", told=told.append)
    assert told == [], "nothing is known of it yet"
    producer.flush()
    (reason,) = told
    assert "timed out" in str(reason)
    assert (producer.delivered, len(producer)) == (0, 0)


def test_a_callback_is_told_of_each_event_that_was_not_delivered() -> None:
    told: list[tuple[str, str]] = []

    def on_failure(scoring_id: str, reason: str) -> None:
        told.append((scoring_id, reason))
        raise ValueError(scoring_id)  # a mistake in it must not come out of another call

    with PayloadProducer(NOWHERE, on_failure=on_failure, delivery_timeout_ms=300, log_level=0) as producer:
        sent = [producer.send(**SCORING) for _ in range(3)]
    assert Counter(scoring_id for scoring_id, _ in told) == Counter(sent)
    assert all("timed out" in reason for _, reason in told)


def test_what_ended_the_block_is_not_hidden_by_what_was_not_delivered() -> None:
    def score() -> None:
        with PayloadProducer(NOWHERE, delivery_timeout_ms=300, log_level=0) as producer:
            producer.send(**SCORING)
            raise KeyError

    with pytest.raises(KeyError) as caught:
        score()
    assert "1 events are not known to be written" in caught.value.__notes__[0]


def test_a_full_queue_is_waited_for_no_longer_than_was_said() -> None:
    producer = PayloadProducer(
        NOWHERE, send_seconds=0.2, delivery_timeout_ms=60_000, queue_buffering_max_messages=1, log_level=0
    )
    producer.send(**SCORING)
    began = time.monotonic()
    with pytest.raises(QueueFullError, match=r"the queue has been full for 0\.2 s"):
        producer.send(**SCORING)
    assert time.monotonic() - began >= 0.2
    assert len(producer) == 1  # the second was not sent, and is not waited for
    with pytest.raises(NotDeliveredError, match="no report yet: 1"):
        producer.flush(0.1)


def test_an_event_that_is_refused_is_not_sent(broker: Broker, make_topic: TopicFactory) -> None:
    topic = make_topic()
    with PayloadProducer(broker.bootstrap, topic=topic, event_bytes=1000) as producer:
        with pytest.raises(InvalidEventError, match=r"limits\.event_bytes allows 1000"):
            producer.send(asset="action", request={"text": "x" * 1000}, response=[1])
        with pytest.raises(InvalidEventError, match="scored_at"):
            producer.send(**SCORING, scored_at=-1)
        producer.send(**SCORING)
    assert producer.delivered == 1
    assert len(list(on_topic(broker.bootstrap, topic))) == 1


def test_the_largest_event_goes_through_the_brokers_own_limit_is_told(broker: Broker, make_topic: TopicFactory) -> None:
    topic = make_topic(config={"max.message.bytes": "5000"}) if broker.real else make_topic()
    producer = PayloadProducer(broker.bootstrap, topic=topic, compression_type="none")
    producer.send(asset="action", request={"text": "x" * 900_000}, response=[1])
    if broker.real:
        with pytest.raises(NotDeliveredError, match=r"too large|larger"):
            producer.flush()
    else:
        producer.flush()


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"acks": 1}, "acks cannot be set"),
        ({"enable_idempotence": False}, "enable.idempotence cannot be set"),
        ({"delivery_report_only_error": True}, "delivery.report.only.error cannot be set"),
        ({"on_delivery": print}, "on.delivery cannot be set"),
        ({"bogus_name": 1}, "bogus.name"),
    ],
)
def test_a_setting_that_breaks_what_is_promised_or_is_none_is_refused(settings: dict[str, Any], part: str) -> None:
    with pytest.raises(ProducerError, match=part.replace(".", r"\.")):
        PayloadProducer(NOWHERE, **settings)


def test_no_broker_is_told_as_such() -> None:
    with pytest.raises(UnreachableError, match="no broker answers"):
        PayloadProducer(NOWHERE, log_level=0).partitions(0.3)


def test_the_registrys_id_of_the_events_schema_is_written() -> None:
    schema = json.dumps(reader_schema())

    def registry(connection: socket.socket) -> None:
        asked = other.requests[-1].decode()
        said: Any = [1, 2]
        if "/versions/" in asked.splitlines()[0]:
            said = {"id": 7 if "/versions/1 " in asked else 9, "version": 1, "schema": schema}
        elif "/schemas/ids/" in asked.splitlines()[0]:
            said = {"schema": schema if "/ids/7 " in asked else '"string"'}
        connection.sendall(answer(200, json.dumps(said).encode(), "Connection: close"))

    with peer(registry) as other:
        found = registered(f"http://127.0.0.1:{other.port}", "events-value")
    assert found.header == b"\x00\x00\x00\x00\x07"


def test_a_registry_that_is_down_or_lacks_the_schema_is_told_when_the_producer_is_made() -> None:
    with pytest.raises(UnreachableError, match="no answer"):
        PayloadProducer(NOWHERE, registry="http://127.0.0.1:1")
    with (
        peer(lambda connection: connection.sendall(answer(200, b"[]", "Connection: close"))) as other,
        pytest.raises(ProducerError, match="payload-worker schema register"),
    ):
        registered(f"http://127.0.0.1:{other.port}", "events-value")
