"""The dead-letter topic: the record as it came, with headers that say where it was and why it is here."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException, Producer

from worker.edges.cluster import client
from worker.edges.letter_headers import BARE, BATCHED, headers
from worker.flow.jobs import Letter, Lettered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from worker.config import Kafka
    from worker.edges.letter_headers import Convention

LOOKUP_INTERVAL = 1.0
"""Seconds between two look-ups of one topic, however many letters fail meanwhile."""

SILENCE_INTERVAL = 2.0
"""Seconds after a look-up that no broker answered in which none is tried, of any topic."""

ALONE: dict[str, Any] = {"batch.num.messages": 1, "linger.ms": 0}
"""For letters of a batch that was too large: one by one, so that what is too large is one letter."""

MESSAGE_BYTES = 1_000_000_000
"""Largest letter as far as the producer minds: the broker knows its limit, and says so."""

TOO_LARGE = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG_SIZE)


def producer_settings(kafka: Kafka) -> dict[str, Any]:
    """What the producer of letters is made with: our defaults, and above them what `kafka.producer` says."""
    return {
        "bootstrap.servers": kafka.bootstrap_servers,
        "enable.idempotence": True,
        "acks": "all",
        "message.max.bytes": MESSAGE_BYTES,
        "compression.type": "zstd",  # a record that came compressed may be too large without
        "batch.size": 100_000,  # far less than a topic takes, and enough to write thousands a second
        "linger.ms": 5,
        "message.timeout.ms": 15_000,  # then it is told, and tried again: the default would be silent for five minutes
        **kafka.producer,
    }


@dataclass(slots=True)
class _Topic:
    """What the last look-up told: the partitions, or why they are not known; `doubted`: to be looked up again."""

    looked_up: float
    partitions: int = 0
    error: KafkaError | None = None
    doubted: bool = False


class DeadLetters:
    """Writes rejections and reports each once its fate is known. All calls come from the thread that owns the flow."""

    def __init__(
        self,
        kafka: Kafka,
        topic_of: Callable[[str], str],
        overrides: Mapping[str, Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        convention: Convention = "kafka",
        topic_ids: Mapping[str, str] | None = None,
    ) -> None:
        self._topic_ids = topic_ids or {}
        self._convention = convention
        self._settings = {**producer_settings(kafka), **(overrides or {})}
        self._producer = client(Producer, self._settings)
        self._alone: Producer | None = None
        self._topic_of = topic_of
        self._group = kafka.group_id
        self._clock = clock
        self._topics: dict[str, _Topic] = {}
        self._silent_since = float("-inf")
        self._outcomes: deque[Lettered] = deque()
        self._smaller: deque[tuple[Letter, int]] = deque()

    def send(self, letter: Letter) -> None:
        """Begin to write a letter; its outcome will come out of `collect`."""
        self._produce(letter, BATCHED)

    def collect(self, timeout: float = 0) -> list[Lettered]:
        """Let delivery reports in, and return the outcomes that are known."""
        for producer in self._producers():
            producer.poll(timeout)
            timeout = 0
        while self._smaller:
            self._produce(*self._smaller.popleft())
        outcomes = list(self._outcomes)
        self._outcomes.clear()
        return outcomes

    def close(self) -> None:
        """Drop what is not written: its offsets are not committed, so it will be read again."""
        for producer in self._producers():
            producer.purge()
            producer.flush(1)

    def _producers(self) -> list[Producer]:
        return [self._producer, self._alone] if self._alone is not None else [self._producer]

    def _producer_at(self, level: int) -> Producer:
        """The one that batches; a second one, once it is needed, for letters that have to go alone."""
        if level == BATCHED:
            return self._producer
        if self._alone is None:
            self._alone = client(Producer, {**self._settings, **ALONE})
        return self._alone

    def _produce(self, letter: Letter, level: int) -> None:
        envelope = letter.rejection.envelope
        topic = self._topic_of(envelope.claim.topic)
        try:
            self._producer_at(level).produce(
                topic,
                value=envelope.value,
                key=envelope.key,
                headers=headers(letter.rejection, self._group, level, self._convention, self._topic_ids),
                partition=envelope.claim.partition % self._partition_count(topic),
                timestamp=max(envelope.timestamp_ms, 0),
                on_delivery=lambda error, _: self._reported(letter, level, error),
            )
        except BufferError:
            self._failed(letter, "the producer's queue is full")
        except KafkaException as error:
            self._reported(letter, level, error.args[0])

    def _reported(self, letter: Letter, level: int, error: KafkaError | None) -> None:
        """What is too large is written again: alone, and then with fewer headers, but never cut, never dropped.

        But not from here: this runs inside `poll`, and a look-up of the topic from inside it aborts the process.
        """
        if error is None:
            self._outcomes.append(Lettered(letter, None))
        elif error.code() in TOO_LARGE and level < BARE:
            self._smaller.append((letter, level + 1))
        else:
            topic = self._topic_of(letter.rejection.envelope.claim.topic)
            if topic in self._topics:
                self._topics[topic].doubted = True
            self._failed(letter, f"{topic}: {error.str()}")

    def _failed(self, letter: Letter, why: str) -> None:
        self._outcomes.append(Lettered(letter, why))

    def _partition_count(self, topic: str) -> int:
        """Partitions of a dead-letter topic, looked up once, and again after failures.

        The loop waits for a look-up, so a topic that is missing, and brokers that do not answer, are not asked for
        each letter: in between, all letters fail as the first one did.

        Raises:
            KafkaException: the topic does not exist, or no broker answers within a second.
        """
        known = self._topics.get(topic)
        if known is None or (
            (known.doubted or known.error is not None) and self._clock() - known.looked_up >= LOOKUP_INTERVAL
        ):
            known = self._topics[topic] = self._look_up(topic)
        if known.error is not None:
            raise KafkaException(known.error)
        return known.partitions

    def _look_up(self, topic: str) -> _Topic:
        if self._clock() - self._silent_since < SILENCE_INTERVAL:
            raise KafkaException(KafkaError(KafkaError._ALL_BROKERS_DOWN))  # noqa: SLF001 - librdkafka's own code
        try:
            found = self._producer.list_topics(topic, timeout=1).topics[topic]
        except KafkaException:
            self._silent_since = self._clock()
            raise
        return _Topic(self._clock(), max(1, len(found.partitions)), found.error)
