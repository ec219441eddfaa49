"""A real broker, and on it one topic for each kind of event: filled once, read by every contender anew."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from confluent_kafka import Producer

from bench.endpoint import BenchError
from tests.kafka.broker import choose

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from confluent_kafka import KafkaError, Message

    from tests.kafka.broker import Broker

PARTITIONS: Final = 4
FLUSH_SECONDS: Final = 120


@contextmanager
def real_broker() -> Iterator[Broker]:
    """The broker of the tests; raises `BenchError` where only the embedded one is to be had."""
    broker = choose()
    if not broker.real:
        raise BenchError(
            "a benchmark needs a real Apache Kafka, and the embedded broker is none: "
            "set KAFKA_BOOTSTRAP_SERVERS, or install Java 17 and Maven"
        )
    with broker:
        yield broker


@contextmanager
def filled(broker: Broker, name: str, values: Iterable[bytes]) -> Iterator[str]:
    """A topic of its own that holds `values`, evenly over its partitions; deleted at the end."""
    topic = f"bench-{name}-{uuid.uuid4().hex[:12]}"
    broker.create_topic(topic, PARTITIONS, {})
    try:
        _fill(broker.bootstrap, topic, values)
        yield topic
    finally:
        for deleted in broker.admin().delete_topics([topic]).values():
            deleted.exception(timeout=10)


def _fill(bootstrap: str, topic: str, values: Iterable[bytes]) -> None:
    """Write and wait until all is acknowledged; raises `BenchError`."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, "acks": "all"})
    failed: list[str] = []

    def reported(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failed.append(error.str())

    for number, value in enumerate(values):
        if len(producer) > FLUSH_AT:
            producer.flush(FLUSH_SECONDS)
        producer.produce(topic, value, partition=number % PARTITIONS, on_delivery=reported)
        producer.poll(0)
    left = producer.flush(FLUSH_SECONDS)
    if left or failed:
        raise BenchError(f"{topic} could not be filled: {left} events left, {len(failed)} refused {failed[:1]}")


FLUSH_AT: Final = 50_000
"""Events in the producer's queue at which to wait: half of what it holds by default."""
