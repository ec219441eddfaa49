"""Spans read from real Kafka as a worker's source: to their ends, in no group, and told where they cannot be."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.way.stage import until
from worker.config import Kafka
from worker.edges.claims import SourceError
from worker.replay.source import SpanSource
from worker.topics.reading import TopicReader
from worker.topics.spans import Bounds, Span

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from tests.conftest import TopicFactory
    from tests.kafka.broker import Broker
    from worker.model import Claim

pytestmark = pytest.mark.kafka


class Holder:
    """Takes note of claims."""

    def __init__(self) -> None:
        self.claims: list[Claim] = []

    def assigned(self, claims: Collection[Claim]) -> None:
        self.claims += claims

    def revoked(self, claims: Collection[Claim]) -> Mapping[Claim, int]:
        raise AssertionError(claims)

    def lost(self, claims: Collection[Claim]) -> None:
        raise AssertionError(claims)


@pytest.fixture
def topic(broker: Broker, make_topic: TopicFactory) -> str:
    """Sixty records in each of two partitions."""
    name = make_topic(2)
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    for number in range(120):
        producer.produce(name, b"%d" % number, partition=number % 2)
    assert producer.flush(30) == 0
    return name


@pytest.fixture
def make(broker: Broker) -> Iterator[Callable[..., SpanSource]]:
    made: list[SpanSource] = []

    def source(spans: list[Span], group: str | None = None, *, restart: bool = False, **more: str) -> SpanSource:
        kafka = Kafka(bootstrap_servers=broker.bootstrap, consumer={**more})
        made.append(SpanSource(kafka, spans, Holder(), time.monotonic, group=group, restart=restart))
        return made[-1]

    yield source
    for each in made:
        each.close()


def drained(source: SpanSource) -> list[tuple[int, int]]:
    """Partition and offset of all that it reads until it has ended."""
    found: list[tuple[int, int]] = []

    def ended() -> bool:
        found.extend((each.claim.partition, each.offset) for each in source.read(100, 0.1))
        return source.ended

    until(ended, "the end of the spans")
    return sorted(found)


def committed(broker: Broker, group: str, topic: str) -> list[int]:
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": group})
    try:
        return [each.offset for each in consumer.committed([TopicPartition(topic, n) for n in (0, 1)], timeout=10)]
    finally:
        consumer.close()


def test_each_span_is_read_to_its_end_and_no_further(make: Callable[..., SpanSource], topic: str) -> None:
    source = make([Span(topic, 0, 10, 12), Span(topic, 1, 57, 60)])
    assert drained(source) == [(0, 10), (0, 11), (1, 57), (1, 58), (1, 59)]
    assert source.read_offsets == 5
    assert source.lag() == {}
    assert source.lag_now(source.claims) == dict.fromkeys(source.claims, 0), "no half of a span's end may still come"


def test_positions_are_kept_though_the_settings_are_those_of_a_static_member(
    make: Callable[..., SpanSource], topic: str, broker: Broker
) -> None:
    member = {"group.instance.id": "one", "group.protocol": "consumer"}
    source = make([Span(topic, 0, 0, 60)], f"{topic}.replay", **member)
    drained(source)
    (claim,) = source.claims
    assert source.commit({claim: 42}, wait=True)
    assert committed(broker, f"{topic}.replay", topic)[0] == 42


def test_a_restart_forgets_what_was_done_before_anything_is_read(
    make: Callable[..., SpanSource], topic: str, broker: Broker
) -> None:
    group = f"{topic}.replay"
    done = make([Span(topic, 0, 5, 60), Span(topic, 1, 5, 60)], group)
    drained(done)
    assert done.commit(dict.fromkeys(done.claims, 60), wait=True)
    assert committed(broker, group, topic) == [60, 60]
    make([Span(topic, 0, 5, 60), Span(topic, 1, 5, 60)], group, restart=True).read(1, 0)
    assert committed(broker, group, topic) == [5, 5]


def test_without_a_group_nothing_is_committed(make: Callable[..., SpanSource], topic: str, broker: Broker) -> None:
    source = make([Span(topic, 0, 0, 60)])
    drained(source)
    assert source.commit(dict.fromkeys(source.claims, 60), wait=True)
    assert committed(broker, Kafka().group_id, topic)[0] < 0


def test_records_that_were_deleted_meanwhile_are_told(
    make: Callable[..., SpanSource], topic: str, broker: Broker
) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    for future in admin.delete_records([TopicPartition(topic, 0, 30)]).values():
        future.result(30)
    with pytest.raises(SourceError, match=r"\[0\]: offset 10 is not in the log any more, which holds 30 to 60"):
        drained(make([Span(topic, 0, 10, 60)]))


def test_what_an_aborted_transaction_leaves_behind_is_no_reason_to_wait(
    make: Callable[..., SpanSource], topic: str, broker: Broker
) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": topic})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, b"777", partition=0)
    producer.flush(30)
    producer.abort_transaction(30)
    with TopicReader(Kafka(bootstrap_servers=broker.bootstrap)) as reader:
        until(lambda: reader.find([topic], Bounds())[0].end > 60, "the end behind the transaction")
        spans = reader.find([topic], Bounds())
    assert len(drained(make(spans))) == 120
