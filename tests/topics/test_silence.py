"""Whose silence counts: that of the brokers, not the time that the caller takes between two chunks."""

from __future__ import annotations

import pytest

from worker.config import Kafka
from worker.edges.cluster import ClusterError
from worker.topics.reading import SILENCE, TopicReader
from worker.topics.spans import Span

NOBODY = Kafka(bootstrap_servers="127.0.0.1:9")
"""Where no broker is."""
SPANS = [Span("events", 0, 0, 5)]


class Clock:
    """Goes on by `step` seconds with each look at it, and by what is added."""

    def __init__(self, step: float) -> None:
        self.now = 0.0
        self._step = step

    def __call__(self) -> float:
        self.now += self._step
        return self.now


def test_a_caller_that_takes_its_time_is_no_broker_that_is_silent() -> None:
    clock = Clock(0)
    with TopicReader(NOBODY, clock) as reader:
        chunks = reader.read(SPANS)
        for _ in range(3):
            assert next(chunks) == []
            clock.now += 10 * SILENCE
        chunks.close()  # type: ignore[attr-defined]


def test_brokers_that_are_silent_end_the_read_by_name() -> None:
    with TopicReader(NOBODY, Clock(SILENCE / 3)) as reader, pytest.raises(ClusterError, match="no broker has answered"):
        list(reader.read(SPANS))
