"""Where to read: spans of offsets, found from times or offsets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException, TopicPartition

from worker.edges.cluster import TIMEOUT, ClusterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from confluent_kafka import Consumer


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Offsets of one partition from `begin` on and below `end`. Not all need be there (compaction, transactions)."""

    topic: str
    partition: int
    begin: int
    end: int

    @property
    def count(self) -> int:
        """Offsets in it: at least as many as records."""
        return max(0, self.end - self.begin)

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.begin}..{self.end}"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is asked for; None is no bound. Times are in milliseconds since 1970, ends are exclusive.

    A time stands for the first offset whose record has that timestamp or a later one, as Kafka's own look-up has it:
    where timestamps do not grow with offsets, single records of other times lie between.
    """

    since: int | None = None
    until: int | None = None
    offset_from: int | None = None
    offset_to: int | None = None
    partition: int | None = None


def find(consumer: Consumer, topics: Sequence[str], bounds: Bounds) -> list[Span]:
    """One span for each partition that the bounds name, within its log, empty ones too, in order.

    Raises:
        ClusterError: there is no such topic or partition, or Kafka does not answer.
    """
    try:
        partitions = [each for topic in topics for each in _partitions(consumer, topic, bounds.partition)]
        logs = {
            partition: consumer.get_watermark_offsets(TopicPartition(*partition), timeout=TIMEOUT)
            for partition in partitions
        }
        begins = _at(consumer, partitions, bounds.since)
        ends = _at(consumer, partitions, bounds.until)
    except KafkaException as error:
        raise ClusterError(f"the offsets are not to be had ({error.args[0].str()})") from None
    spans = []
    for (topic, number), (low, high) in logs.items():
        begin = max(low, begins.get((topic, number), low), bounds.offset_from or 0)
        end = min(high, ends.get((topic, number), high), high if bounds.offset_to is None else bounds.offset_to)
        spans.append(Span(topic, number, min(begin, high), max(end, min(begin, high))))
    return sorted(spans)


def _partitions(consumer: Consumer, topic: str, only: int | None) -> list[tuple[str, int]]:
    found = consumer.list_topics(topic, timeout=TIMEOUT).topics[topic]
    if found.error is not None:
        raise ClusterError(f"{topic}: {found.error.str()}")
    if only is not None and only not in found.partitions:
        raise ClusterError(f"{topic} has no partition {only}: it has {len(found.partitions)}, from 0 on")
    return [(topic, number) for number in found.partitions if only in (None, number)]


def _at(
    consumer: Consumer, partitions: Sequence[tuple[str, int]], milliseconds: int | None
) -> dict[tuple[str, int], int]:
    """The first offset of that time or later; none for partitions that have no such record yet."""
    if milliseconds is None:
        return {}
    asked = [TopicPartition(topic, number, milliseconds) for topic, number in partitions]
    found = consumer.offsets_for_times(asked, timeout=TIMEOUT)
    for each in found:
        if each.error is not None:
            raise KafkaException(each.error)
    return {(each.topic, each.partition): each.offset if each.offset >= 0 else _NONE for each in found}


_NONE = 2**63 - 1
"""Where a record that is not there yet would be: behind every offset."""
