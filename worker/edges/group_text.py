"""A short text that Kafka keeps for a group: the metadata of an offset committed for a group that nobody joins.

Read and written by a consumer that has no subscription, on a thread of its own, for both wait. An admin client could
begin them without waiting, but kills the process where a coordinator has just moved (librdkafka 2.16 answers
NOT_COORDINATOR to its `list_consumer_group_offsets` with a segmentation fault).
"""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from worker.edges.cluster import TIMEOUT, ClusterError, client, connection_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from worker.config import Kafka

Answer = Future[list[TopicPartition]]

RETRY = 0.5
"""Seconds after which a question that failed is asked again."""

_DENIED = (KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError.TOPIC_AUTHORIZATION_FAILED)


class Offsets(Protocol):
    """The offsets of a group, with their metadata; both wait, and raise `KafkaException`."""

    def read(self, cells: list[TopicPartition], seconds: float) -> list[TopicPartition]:
        """These offsets, each with an error of its own or none."""

    def write(self, cells: list[TopicPartition]) -> list[TopicPartition]:
        """Commit these; each with an error of its own or none."""


class ConsumerOffsets:
    """Those of a group, by a consumer that does not join it; raises `ClientError` where a setting is refused."""

    def __init__(self, kafka: Kafka, group: str) -> None:
        # a commit that finds no coordinator is given up after the session's time
        own = {"group.id": group, "enable.auto.commit": False, "session.timeout.ms": 6000}
        self._consumer = client(Consumer, {**connection_settings(kafka), **own})

    def read(self, cells: list[TopicPartition], seconds: float) -> list[TopicPartition]:
        """These offsets, each with an error of its own or none."""
        return list(self._consumer.committed(cells, timeout=seconds))

    def write(self, cells: list[TopicPartition]) -> list[TopicPartition]:
        """Commit these; each with an error of its own or none."""
        return list(self._consumer.commit(offsets=cells, asynchronous=False) or ())


class GroupText:
    """The text of `group`, kept at partition 0 of each topic of events: it outlives all of them but one.

    `offsets` is made from the settings unless given.

    Raises:
        ClientError: librdkafka refuses a setting.
    """

    def __init__(self, kafka: Kafka, group: str, offsets: Offsets | None = None) -> None:
        self.group = group
        self._topics = list(dict.fromkeys(kafka.topics))
        self._offsets = ConsumerOffsets(kafka, group) if offsets is None else offsets
        self._thread = ThreadPoolExecutor(1, "stop-note")

    def begin_read(self, seconds: float) -> Answer:
        """Ask for the texts; the answer has them, or an error, after so many seconds at most: give it to `texts`."""
        return self._thread.submit(self._offsets.read, [TopicPartition(topic, 0) for topic in self._topics], seconds)

    def begin_write(self, text: str) -> Answer:
        """Write a text, of 4096 bytes at most; give the answer to `check_written`."""
        cells = [TopicPartition(topic, 0, 0, metadata=text) for topic in self._topics]
        return self._thread.submit(self._offsets.write, cells)

    def read_now(self) -> Sequence[str]:
        """The texts, waiting up to `TIMEOUT` seconds; raises `ClusterError`, which names the group and the right."""
        return texts(self._wait_for(self.begin_read, texts))

    def write_now(self, text: str) -> None:
        """Write a text, waiting up to `TIMEOUT` seconds; raises `ClusterError`, which names the group and the right."""
        self._wait_for(lambda _: self.begin_write(text), check_written)

    def why(self, error: Exception) -> str:
        """What is wrong, and what may be missing."""
        text = error.args[0].str() if isinstance(error, KafkaException) else "no answer"
        return f"group {self.group}: {text}; the worker keeps the flood guard's stop there and needs Read on that group"

    def _wait_for(self, begin: Callable[[float], Answer], check: Callable[[Answer], object]) -> Answer:
        """A good answer, asked for again until there is one: a coordinator may just be loading."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            left = max(RETRY, deadline - time.monotonic())
            answer = begin(left)
            try:
                answer.result(left + 1)
                check(answer)
            except (KafkaException, TimeoutError) as error:
                final = isinstance(error, KafkaException) and error.args[0].code() in _DENIED
                if final or time.monotonic() + RETRY >= deadline:
                    raise ClusterError(self.why(error)) from None
            else:
                return answer
            time.sleep(RETRY)


def texts(answer: Answer) -> Sequence[str]:
    """The texts that there are, of an answer that has come; raises `KafkaException`."""
    return [each.metadata for each in _good(answer) if each.metadata]


def check_written(answer: Answer) -> None:
    """Raise `KafkaException` unless a write whose answer has come was good, with one topic at least."""
    if not _good(answer):
        raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))


def _good(answer: Answer) -> list[TopicPartition]:
    """The offsets of topics that there are: one may have been deleted. Any other error is raised."""
    found = answer.result(0)
    for each in found:
        if each.error is not None and each.error.code() not in _NO_TOPIC:
            raise KafkaException(each.error)
    return [each for each in found if each.error is None]


_NO_TOPIC = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION)  # noqa: SLF001
