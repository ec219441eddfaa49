"""A real broker, and on it one topic for each kind of event: filled once, read by every contender anew."""

from __future__ import annotations

import uuid
from contextlib import contextmanager, suppress
from itertools import cycle, islice
from typing import TYPE_CHECKING, Final

from confluent_kafka import Producer

from bench.endpoint import BenchError
from tests.kafka.broker import choose

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from confluent_kafka import KafkaError, Message

    from tests.kafka.broker import Broker

PARTITIONS: Final = 4
FLUSH_SECONDS: Final = 120
DELETE_SECONDS: Final = 30


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
            with suppress(TimeoutError):  # a busy broker: what was measured counts all the same
                deleted.exception(timeout=DELETE_SECONDS)


@contextmanager
def empty(broker: Broker, name: str) -> Iterator[str]:
    """A topic of its own that holds nothing yet; deleted at the end."""
    with filled(broker, name, ()) as topic:
        yield topic


def again_and_again(values: Sequence[bytes], count: int) -> Iterator[bytes]:
    """`count` values, from the first again after the last: events without an id get one by their place on Kafka."""
    return islice(cycle(values), count)


def _fill(bootstrap: str, topic: str, values: Iterable[bytes]) -> None:
    """Write and wait until all is acknowledged; raises `BenchError`."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "linger.ms": 20,
            "acks": "all",
            "batch.size": BATCH_BYTES,
            "batch.num.messages": 10_000,
            "queue.buffering.max.messages": 2 * FLUSH_AT,
        }
    )
    failed: list[str] = []

    def reported(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failed.append(error.str())

    for number, value in enumerate(values):
        if number % POLL_EVERY == 0:
            while len(producer) > FLUSH_AT:
                producer.poll(0.05)
            producer.poll(0)
        producer.produce(topic, value, partition=number % PARTITIONS, on_delivery=reported)
    left = producer.flush(FLUSH_SECONDS)
    if left or failed:
        raise BenchError(f"{topic} could not be filled: {left} events left, {len(failed)} refused {failed[:1]}")


FLUSH_AT: Final = 200_000
"""Events in the producer's queue at which to wait: half of what it holds."""

BATCH_BYTES: Final = 900_000
"""Of one request to a partition: what a broker takes without being told."""

POLL_EVERY: Final = 1000
