"""A bounded read: spans of offsets, once, by a consumer that joins no group and commits nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from worker.edges.cluster import TIMEOUT, ClusterError, client, connection_settings
from worker.topics.spans import Span, find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from confluent_kafka import Message

    from worker.config import Kafka
    from worker.topics.spans import Bounds

SILENCE = 30.0
"""Seconds without a record after which the brokers are given up."""

CHUNK = 500
"""Records that are read at once, at most."""

_POLL = 0.2

_BOUNDED = {
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "error",
    "queued.max.messages.kbytes": 4096,
    "fetch.max.bytes": 2 * 1024 * 1024,
    "fetch.queue.backoff.ms": 20,
}
"""Memory as a worker has it, and the end of each partition told."""


class TopicReader:
    """Looks into topics. Not for several threads; to be closed, or used in `with`.

    Raises:
        ClientError: librdkafka refuses a setting.
    """

    def __init__(self, kafka: Kafka, clock: Callable[[], float] = time.monotonic) -> None:
        # a group's name has to be given, but none is joined: no right on a group is needed
        self._settings = {**connection_settings(kafka), "group.id": kafka.group_id, **_BOUNDED}
        self._consumer = client(Consumer, self._settings)
        self._group = kafka.group_id
        self._clock = clock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._consumer.close()

    def find(self, topics: Sequence[str], bounds: Bounds) -> list[Span]:
        """One span for each partition that the bounds name, empty ones too; raises `ClusterError`."""
        return find(self._consumer, topics, bounds)

    def committed(self, spans: Sequence[Span]) -> dict[tuple[str, int], int]:
        """The group's committed offset of each span's partition, where it has one; raises `ClusterError`.

        Asked again for a while: a coordinator may just be beginning.
        """
        asked = [TopicPartition(span.topic, span.partition) for span in spans]
        deadline = self._clock() + TIMEOUT
        while asked:
            try:
                found = self._consumer.committed(asked, timeout=TIMEOUT)
                error = next((each.error for each in found if each.error is not None), None)
            except KafkaException as failed:
                found, error = [], failed.args[0]
            if error is None:
                return {(each.topic, each.partition): each.offset for each in found if each.offset >= 0}
            if error.code() not in _LATER or self._clock() > deadline:
                raise ClusterError(f"the offsets of the group {self._group} are not to be had ({error.str()})")
            time.sleep(_POLL)
        return {}

    def read(self, spans: Sequence[Span]) -> Iterator[list[Message]]:
        """All records of the spans, in chunks, each partition in order; chunks may be empty, for the caller to look up.

        Each read has a consumer of its own: one that is assigned anew may still give out what it had fetched before, an
        end of a partition among it, and keeps paused what was.

        Raises:
            ClusterError: no broker has answered for `SILENCE` seconds of waiting, records were deleted before they were
                read, or reading is refused.
        """
        open_spans = {(span.topic, span.partition): span for span in spans if span.count}
        if not open_spans:
            return
        consumer = client(Consumer, self._settings)
        consumer.assign([TopicPartition(each.topic, each.partition, each.begin) for each in open_spans.values()])
        heard = self._clock()
        try:
            while open_spans:
                messages = _consume(consumer)
                heard = self._heard(heard, any(each.error() is None for each in messages))
                before = self._clock()
                yield [each for each in messages if _counts(consumer, each, open_spans)]
                heard += self._clock() - before  # what the caller takes its time for is no broker's silence
        finally:
            consumer.close()

    def _heard(self, heard: float, now_heard: bool) -> float:  # noqa: FBT001 - one call, named there
        now = self._clock()
        if not now_heard and now - heard > SILENCE:
            raise ClusterError(f"no broker has answered for {SILENCE:.0f} s; give the same command again")
        return now if now_heard else heard


def _consume(consumer: Consumer) -> list[Message]:
    """The first is waited for alone: `consume(n, t)` waits all of t unless n are there."""
    first = consumer.consume(1, _POLL)
    return first + consumer.consume(CHUNK - 1, 0) if first else first


def _counts(consumer: Consumer, message: Any, open_spans: dict[tuple[str, int], Span]) -> bool:
    """Whether it is a record of an open span; ends spans that are through."""
    place = message.topic(), message.partition()
    error = message.error()
    if error is not None:
        _on_error(error, place, open_spans)
        return False
    span = open_spans.get(place)
    if span is None:
        return False
    if message.offset() >= span.end - 1:
        del open_spans[place]
        consumer.pause([TopicPartition(*place)])
    return bool(message.offset() < span.end)


def _on_error(error: KafkaError, place: Any, open_spans: dict[tuple[str, int], Span]) -> None:
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's own codes begin so
        open_spans.pop(place, None)
    elif error.code() in _GONE:
        raise ClusterError(f"{place[0]}[{place[1]}]: records were deleted before they were read; begin again")
    elif error.fatal() or error.code() in _REFUSED:
        raise ClusterError(f"{place[0] or 'Kafka'}: {error.str()}")


_GONE = (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._LOG_TRUNCATION)  # noqa: SLF001
_REFUSED = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError._AUTHENTICATION,  # noqa: SLF001
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
)
_LATER = (
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
)
"""What a broker answers that will know better soon."""
