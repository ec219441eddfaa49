"""Where events end: the dead-letter topic read back, the data mart's records, and what the group has committed."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Self

from confluent_kafka import Consumer, TopicPartition

from worker.demo.accounting import Kept, Place, Reason
from worker.demo.protocols import content

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worker.sandbox.seed import Seeded
    from worker.sandbox.serve import RunningSandbox

_SECONDS = 10
_CHUNK = 500


class LetterBox:
    """Reads a dead-letter topic from its beginning; `found` has the reasons of every place, as read so far."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._topic = topic
        self._consumer = _consumer(bootstrap, "payload-worker-demo-letters")
        self._partitions = _partitions(self._consumer, topic)
        self._consumer.assign([TopicPartition(topic, number, 0) for number in self._partitions])
        self._positions = dict.fromkeys(self._partitions, 0)
        self.found: dict[Place, list[Reason]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def read(self) -> None:
        """Take what has come."""
        for message in self._consumer.consume(_CHUNK, 0):
            if message.error() is None:
                self._take(message)

    def read_all(self) -> None:
        """Take all that there is; raises `TimeoutError` where it cannot be had."""
        deadline = time.monotonic() + _SECONDS
        ends = _ends(self._consumer, self._topic, self._partitions)
        while any(self._positions[number] < end for number, end in ends.items()):
            if time.monotonic() > deadline:
                raise TimeoutError("the dead-letter topic cannot be read to its end")
            self.read()
            time.sleep(0.01)

    def _take(self, message: Any) -> None:
        """`Any`: the type says None of what only a message in error lacks."""
        self._positions[message.partition()] = message.offset() + 1
        headers = {name: value.decode() for name, value in message.headers() or ()}
        place = Place(int(headers["__dlq.errors.partition"]), int(headers["__dlq.errors.offset"]))
        reason = Reason(headers["__dlq.errors.disposition"], headers["payload-worker.error.code"])
        self.found.setdefault(place, []).append(reason)


def stored(sandbox: RunningSandbox, seeded: Mapping[str, Seeded]) -> dict[str, list[Kept]]:
    """Every stored record by its scoring id."""
    found: defaultdict[str, list[Kept]] = defaultdict(list)
    for engine, ids in seeded.items():
        for record in sandbox.records(ids.subscription_id):
            found[record["scoring_id"]].append(Kept(engine, content(record["request"], record["response"])))
    return dict(found)


def repeated(sandbox: RunningSandbox, seeded: Mapping[str, Seeded]) -> dict[str, int]:
    """How often a record of each engine reached the data mart that it had already."""
    found = {engine: sandbox.received(ids.subscription_id).values() for engine, ids in seeded.items()}
    return {engine: sum(received + seen - 1 for received, seen in times) for engine, times in found.items()}


def positions(bootstrap: str, group: str, topic: str) -> tuple[dict[int, int], dict[int, int]]:
    """The end of each partition, and what the group has committed of it."""
    consumer = _consumer(bootstrap, group)
    try:
        numbers = _partitions(consumer, topic)
        committed = consumer.committed([TopicPartition(topic, number) for number in numbers], timeout=_SECONDS)
        return _ends(consumer, topic, numbers), {each.partition: max(0, each.offset) for each in committed}
    finally:
        consumer.close()


def _consumer(bootstrap: str, group: str) -> Consumer:
    """One that commits nothing."""
    return Consumer({"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False, "log_level": 0})


def _partitions(consumer: Consumer, topic: str) -> Sequence[int]:
    return sorted(consumer.list_topics(topic, timeout=_SECONDS).topics[topic].partitions)


def _ends(consumer: Consumer, topic: str, partitions: Sequence[int]) -> dict[int, int]:
    ends: dict[int, int] = {}
    for number in partitions:
        found = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=_SECONDS)
        ends[number] = 0 if found is None else found[1]
    return ends
