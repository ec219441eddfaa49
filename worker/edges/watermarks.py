"""The ends of partitions as the brokers tell them now, where what the last fetch saw may be an old end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from confluent_kafka import KafkaException, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from worker.model import Claim

TIMEOUT = 0.5
"""Seconds that one question, and all of one call, wait at most: reading waits with them."""

PAUSE = 5.0
"""Seconds after a question without an answer in which none is asked."""


class Asked(Protocol):
    """The part of a consumer that is used here; its answer is None where none came in time."""

    def get_watermark_offsets(self, partition: TopicPartition, timeout: float) -> tuple[int, int] | None:
        """The lowest offset and the one after the last; raises `KafkaException`."""


class Watermarks:
    """Asks for few claims at a time, those first that were not asked for longest."""

    def __init__(self, consumer: Asked, clock: Callable[[], float] = time.monotonic) -> None:
        self._consumer = consumer
        self._clock = clock
        self._asked: dict[Claim, float] = {}
        self._silent_until = float("-inf")

    def of(self, claims: Collection[Claim]) -> dict[Claim, int]:
        """The ends of those that a broker has answered for; of others nothing is known."""
        self._asked = {claim: at for claim, at in self._asked.items() if claim in claims}
        begun, ends = self._clock(), {}
        for claim in sorted(claims, key=lambda each: self._asked.get(each, float("-inf"))):
            now = self._clock()
            if now < self._silent_until or now - begun >= TIMEOUT:
                break
            self._asked[claim] = now
            end = end_now(self._consumer, claim, TIMEOUT)
            if end is None:
                self._silent_until = self._clock() + PAUSE
            else:
                ends[claim] = end
        return ends


def end_now(consumer: Asked, claim: Claim, timeout: float) -> int | None:
    """The end of a claim's partition; None: no broker has answered."""
    try:
        found = consumer.get_watermark_offsets(TopicPartition(claim.topic, claim.partition), timeout=timeout)
    except KafkaException:
        return None
    return found[1] if found is not None and found[1] >= 0 else None
