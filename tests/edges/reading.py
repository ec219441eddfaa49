"""Sources on a broker for tests: who holds their claims, and what is done to their topics meanwhile."""

from __future__ import annotations

import time
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from confluent_kafka import Consumer, Producer, TopicPartition

from worker.config import Kafka
from worker.edges.cluster import describe
from worker.edges.source import KafkaSource

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from tests.kafka.broker import Broker
    from worker.model import Claim, Envelope

PATIENCE = 60.0
"""Seconds that a test waits for what has to happen."""

PROTOCOLS: Mapping[str, Mapping[str, Any]] = {
    "range": {"partition.assignment.strategy": "range"},
    "cooperative-sticky": {"partition.assignment.strategy": "cooperative-sticky"},
    "consumer": {"group.protocol": "consumer"},
}


@dataclass
class Holding:
    """Holds claims as a worker does; at a revocation it gives back the `marks` of those that are revoked."""

    claims: list[Claim] = field(default_factory=list)
    gone: list[Claim] = field(default_factory=list)
    dropped: list[Claim] = field(default_factory=list)
    marks: dict[Claim, int] = field(default_factory=dict)

    def assigned(self, claims: Collection[Claim]) -> None:
        self.claims += claims

    def revoked(self, claims: Collection[Claim]) -> Mapping[Claim, int]:
        self.gone += claims
        return {claim: mark for claim, mark in self.marks.items() if claim in claims}

    def lost(self, claims: Collection[Claim]) -> None:
        self.dropped += claims


class Reader:
    """A source, and all that it has read, by partition."""

    def __init__(self, broker: Broker, topic: str, group: str, consumer: Mapping[str, Any] | None = None) -> None:
        settings = {"log_level": 0, **(consumer or {})}
        # past the validation, for a test may set a callback, as no user can
        kafka = Kafka(bootstrap_servers=broker.bootstrap, topics=[topic], group_id=group)
        kafka = kafka.model_copy(update={"consumer": settings})
        self.topic = topic
        self.holding = Holding()
        self.source = KafkaSource(kafka, self.holding, time.monotonic, describe(kafka, kafka.topics).topic_ids)
        self.offsets: dict[int, list[int]] = defaultdict(list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close()

    def turn(self, room: int = 500, timeout: float = 0.05) -> list[Envelope]:
        """One read."""
        envelopes = self.source.read(room, timeout)
        for each in envelopes:
            self.offsets[each.claim.partition].append(each.offset)
        return envelopes

    def until(self, reached: Callable[[], object], what: str, *, room: int = 500) -> None:
        """Read until something is so."""
        deadline = time.monotonic() + PATIENCE
        while not reached():
            self.turn(room)
            assert time.monotonic() < deadline, f"{what} has not come; read so far: {self.count}"

    def until_read(self, count: int) -> None:
        """Read until there are so many records, by the hundred, so that not many more are taken."""
        self.until(lambda: self.count >= count, f"{count} records", room=100)

    def turns(self, seconds: float) -> None:
        """Read for a while: for what must not happen."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.turn()

    @property
    def count(self) -> int:
        return sum(len(each) for each in self.offsets.values())

    def claim(self, partition: int = 0) -> Claim:
        """The claim that is owned on a partition."""
        (found,) = (each for each in self.source.claims if each.partition == partition)
        return found

    def position(self, partition: int = 0) -> int:
        """What is read next, of a partition that something was read of."""
        return self.offsets[partition][-1] + 1

    @property
    def lost(self) -> dict[int, int]:
        """Offsets lost, by partition."""
        return {int(partition): count for (_, partition), count in self.source.offsets_lost.items()}


@dataclass
class Log:
    """A topic with a group, and what can be done to both from outside."""

    broker: Broker
    topic: str
    group: str = field(default_factory=lambda: f"g-{uuid.uuid4().hex[:12]}")

    def reader(self, consumer: Mapping[str, Any] | None = None) -> Reader:
        return Reader(self.broker, self.topic, self.group, consumer)

    def produce(self, count: int, partition: int = 0, size: int = 10) -> None:
        """Append records of so many bytes to a partition."""
        producer = Producer({"bootstrap.servers": self.broker.bootstrap, "log_level": 0, "linger.ms": 20})
        for _ in range(count):
            producer.produce(self.topic, b"x" * size, partition=partition)
            producer.poll(0)
        assert producer.flush(PATIENCE) == 0

    def cut(self, offset: int, partition: int = 0) -> None:
        """Delete all records before an offset, as retention does; -1: all there are."""
        place = TopicPartition(self.topic, partition, offset)
        admin = self.broker.admin()
        admin.delete_records([place])[place].result(PATIENCE)

    def commit(self, marks: Mapping[int, int]) -> None:
        """Commit as a member of the group that has left would have."""
        with self._member() as consumer:
            offsets = [TopicPartition(self.topic, *each) for each in marks.items()]
            consumer.commit(offsets=offsets, asynchronous=False)

    def committed(self, partitions: Iterable[int] = (0,)) -> dict[int, int]:
        """What the group has committed; a partition without is left out."""
        with self._member() as consumer:
            asked = [TopicPartition(self.topic, each) for each in partitions]
            found = consumer.committed(asked, timeout=PATIENCE)
        return {each.partition: each.offset for each in found if each.offset >= 0}

    def await_committed(self, marks: Mapping[int, int]) -> None:
        """Wait for the group to have committed just this."""
        deadline = time.monotonic() + PATIENCE
        while (found := self.committed(marks)) != marks:
            assert time.monotonic() < deadline, f"committed is {found}"
            time.sleep(0.05)

    def _member(self) -> Consumer:
        return Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": self.group, "log_level": 0})
