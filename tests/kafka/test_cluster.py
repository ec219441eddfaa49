"""The cluster of the tests is one: it outlives any of its members, and says who leads what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, Producer

from tests.kafka.cluster import MEMBERS, KafkaCluster

if TYPE_CHECKING:
    from collections.abc import Iterator

TOPIC = "kept"


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    """One for the module: three JVMs take a while to start."""
    with KafkaCluster() as started:
        started.create_topic(TOPIC, 3, {})
        yield started


def write(cluster: KafkaCluster, count: int) -> None:
    """Write records that two members acknowledge."""
    producer = Producer({"bootstrap.servers": cluster.bootstrap, "acks": "all", "log_level": 0})
    errors: list[object] = []
    for number in range(count):
        producer.produce(TOPIC, b"%d" % number, on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(60) == 0
    assert errors == [None] * count


def read(cluster: KafkaCluster, group: str, count: int) -> int:
    """How many records a group of that name reads, of at least `count`."""
    settings = {"bootstrap.servers": cluster.bootstrap, "group.id": group, "auto.offset.reset": "earliest"}
    consumer = Consumer({**settings, "log_level": 0})
    consumer.subscribe([TOPIC])
    found = 0
    for _ in range(600):
        found += sum(message.error() is None for message in consumer.consume(500, 0.1))
        if found >= count:
            break
    consumer.close()
    return found


@pytest.mark.kafka
def test_topics_have_a_replica_on_each_member(cluster: KafkaCluster) -> None:
    described = cluster.admin().list_topics(TOPIC, timeout=10)
    assert len(described.brokers) == MEMBERS
    assert {len(each.isrs) for each in described.topics[TOPIC].partitions.values()} == {MEMBERS}


@pytest.mark.kafka
def test_what_was_written_is_read_while_a_member_is_dead_and_after_it_came_back(cluster: KafkaCluster) -> None:
    write(cluster, 100)
    assert read(cluster, "some-group", 100) == 100
    coordinator = cluster.coordinator("some-group")
    coordinator.kill()
    write(cluster, 100)
    assert read(cluster, "some-group", 100) == 100
    assert cluster.coordinator("some-group") is not coordinator
    assert cluster.leader(TOPIC, 0) is not coordinator
    coordinator.start()
    cluster.await_in_sync()
    cluster.check()
