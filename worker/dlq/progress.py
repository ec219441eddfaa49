"""How far a redrive has come: committed offsets of a group of its own, so that the same command goes on there."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaException, TopicPartition

from worker.edges.cluster import TIMEOUT, ClusterError
from worker.edges.group_text import RETRY, ConsumerOffsets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from worker.config import Kafka
    from worker.topics.spans import Span

    Positions = Mapping[tuple[str, int], int]


def group_name(group_id: str, topics: Sequence[str], *meant: object) -> str:
    """The group in which one redrive keeps its progress: another one for other topics, letters or repairs."""
    text = repr((sorted(topics), *meant))
    return f"{group_id}.redrive.{hashlib.sha256(text.encode()).hexdigest()[:12]}"


class NoProgress:
    """For a choice that is another one tomorrow, so that no position says what is behind it: it always begins anew."""

    group: None = None

    def read(self, _: Sequence[Span]) -> dict[tuple[str, int], int]:
        """None."""
        return {}

    def write(self, _: Positions) -> None:
        """Keeps nothing."""


class Progress:
    """The positions that a group keeps; nobody joins it.

    Raises:
        ClientError: librdkafka refuses a setting.
    """

    def __init__(self, kafka: Kafka, group: str) -> None:
        self.group = group
        self._offsets = ConsumerOffsets(kafka, group)

    def read(self, spans: Sequence[Span]) -> dict[tuple[str, int], int]:
        """The position of each partition that has one; raises `ClusterError`."""
        asked = [TopicPartition(span.topic, span.partition) for span in spans]
        found = self._answered(lambda seconds: self._offsets.read(asked, seconds))
        return {(each.topic, each.partition): each.offset for each in found if each.offset >= 0}

    def write(self, positions: Positions) -> None:
        """Keep positions; raises `ClusterError`."""
        cells = [TopicPartition(*partition, offset) for partition, offset in positions.items()]
        if cells:
            self._answered(lambda _: self._offsets.write(cells))

    def _answered(self, ask: Callable[[float], Sequence[Any]]) -> Sequence[Any]:
        """A good answer, asked for again until there is one: a coordinator may just be loading."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                found = ask(max(RETRY, deadline - time.monotonic()))
                wrong = next((each.error for each in found if each.error is not None), None)
                if wrong is None:
                    return found
                problem = wrong
            except KafkaException as error:
                problem = error.args[0]
            if time.monotonic() + RETRY >= deadline:
                raise ClusterError(
                    f"group {self.group}: {problem.str()}; progress is kept there, and needs Read on that group"
                )
            time.sleep(RETRY)
