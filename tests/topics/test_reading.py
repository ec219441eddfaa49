"""Bounded reads on a real broker: by time, by offset, whatever lies at the end, and nothing twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer

from tests.way.stage import until
from worker.config import Kafka
from worker.edges.cluster import ClusterError
from worker.topics.reading import TopicReader
from worker.topics.spans import Bounds, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import TopicFactory
    from tests.kafka.broker import Broker

pytestmark = pytest.mark.kafka
START = 1_700_000_000_000
"""Milliseconds: the timestamp of the first record; the n-th is n seconds later."""


@pytest.fixture
def reader(broker: Broker) -> Iterator[TopicReader]:
    with TopicReader(Kafka(bootstrap_servers=broker.bootstrap)) as found:
        yield found


@pytest.fixture
def topic(broker: Broker, make_topic: TopicFactory) -> str:
    """Two partitions: 60 records in one, every second, and every second in the other none at all."""
    name = make_topic(3, {"retention.ms": "-1"})  # its records are years old
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    for number in range(120):
        producer.produce(name, b"%d" % number, partition=number % 2, timestamp=START + number * 1000)
    assert producer.flush(30) == 0
    return name


def _values(reader: TopicReader, spans: list[Span]) -> list[int]:
    return sorted(int(message.value() or b"") for chunk in reader.read(spans) for message in chunk)


def test_all_of_a_topic_is_each_record_once(reader: TopicReader, topic: str) -> None:
    spans = reader.find([topic], Bounds())
    assert spans == [Span(topic, 0, 0, 60), Span(topic, 1, 0, 60), Span(topic, 2, 0, 0)]
    assert _values(reader, spans) == list(range(120))


def test_what_was_read_can_be_read_again_by_the_same_reader(reader: TopicReader, topic: str) -> None:
    spans = reader.find([topic], Bounds(offset_to=30))
    assert _values(reader, spans) == _values(reader, spans) == list(range(60))


def test_times_bound_it_with_the_end_left_out(reader: TopicReader, topic: str) -> None:
    spans = reader.find([topic], Bounds(since=START + 10_000, until=START + 20_000))
    assert _values(reader, spans) == list(range(10, 20))


def test_a_time_in_the_future_is_the_end_and_one_in_the_past_the_beginning(reader: TopicReader, topic: str) -> None:
    beyond = START + 10**9
    assert not any(span.count for span in reader.find([topic], Bounds(since=beyond)))
    assert sum(span.count for span in reader.find([topic], Bounds(since=0, until=beyond))) == 120


def test_offsets_bound_one_partition(reader: TopicReader, topic: str) -> None:
    spans = reader.find([topic], Bounds(partition=1, offset_from=5, offset_to=8))
    assert spans == [Span(topic, 1, 5, 8)]
    assert _values(reader, spans) == [11, 13, 15]


def test_what_is_written_behind_the_end_is_not_read(reader: TopicReader, topic: str, broker: Broker) -> None:
    spans = reader.find([topic], Bounds())
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    producer.produce(topic, b"999", partition=0)
    assert producer.flush(30) == 0
    assert _values(reader, spans) == list(range(120))


def test_an_aborted_transaction_at_the_end_is_no_reason_to_wait(
    reader: TopicReader, topic: str, broker: Broker
) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": topic})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, b"777", partition=0)
    producer.flush(30)
    producer.abort_transaction(30)
    # the broker answers before the transaction's end is written: until then the last stable offset is before it
    until(lambda: reader.find([topic], Bounds())[0].end > 60, "the end of the transaction")
    spans = reader.find([topic], Bounds())
    assert _values(reader, spans) == list(range(120))


def test_a_partition_or_topic_that_is_not_there_is_named(reader: TopicReader, topic: str) -> None:
    with pytest.raises(ClusterError, match="has no partition 7"):
        reader.find([topic], Bounds(partition=7))
    with pytest.raises(ClusterError, match="no-such-topic"):
        reader.find(["no-such-topic"], Bounds())
