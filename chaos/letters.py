"""Reads a ring's dead-letter topic from its beginning, as it grows."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from confluent_kafka import Message

CHUNK = 5000
ANSWER_SECONDS = 5
END_SECONDS = 30
DISPOSITION = "__dlq.errors.disposition"


class Letters:
    """The dead letters by event, which their keys name; used by one thread at a time. The topic may come later."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.dispositions: defaultdict[str, list[str]] = defaultdict(list)
        """For each event the disposition of each of its letters."""
        self.headers: dict[str, Mapping[str, str]] = {}
        """For each event the headers of its last letter; the worker's own, as text."""
        self._topic = topic
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": f"look-{topic}",
                "enable.auto.commit": False,
                "log_level": 0,
            }
        )
        self._partitions: list[int] = []
        self._next: dict[int, int] = {}

    def read(self) -> list[str]:
        """The events whose letters have been fetched since; does not wait."""
        if not self._assigned():
            return []
        found: list[str] = []
        while messages := self._consumer.consume(CHUNK, 0):
            found += [self._take(each) for each in messages if each.error() is None]
        return found

    def read_to_the_end(self) -> list[str]:
        """The same, with every letter that is in the topic now; raises `KafkaException`."""
        if not self._assigned():
            return []
        ends = {number: self._end(number) for number in self._partitions}
        found = self.read()
        deadline = time.monotonic() + END_SECONDS
        while any(self._next.get(number, 0) < end for number, end in ends.items()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the letters of {self._topic} could not be read")
            found += [self._take(each) for each in self._consumer.consume(CHUNK, 0.1) if each.error() is None]
        return found

    def close(self) -> None:
        """No more is read."""
        self._consumer.close()

    def _assigned(self) -> bool:
        if not self._partitions:
            found: Any = self._consumer.list_topics(timeout=ANSWER_SECONDS).topics.get(self._topic)
            self._partitions = sorted(found.partitions) if found is not None else []
            self._consumer.assign([TopicPartition(self._topic, each, OFFSET_BEGINNING) for each in self._partitions])
        return bool(self._partitions)

    def _end(self, partition: int) -> int:
        found = self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=ANSWER_SECONDS)
        if found is None:
            raise KafkaException(f"no end of {self._topic}[{partition}]")
        return int(found[1])

    def _take(self, message: Message) -> str:
        """Note a letter; an event that has none is called by its place."""
        partition, offset = message.partition() or 0, message.offset() or 0
        self._next[partition] = offset + 1
        key = message.key()
        event = key.decode("utf-8", "replace") if isinstance(key, bytes) else f"[{partition}]@{offset}"
        given: Any = message.headers() or ()
        headers = {name: (value or b"").decode("utf-8", "replace") for name, value in given}
        self.headers[event] = headers
        self.dispositions[event].append(headers.get(DISPOSITION, ""))
        return event
