"""How long events take: from their timestamp in Kafka until they arrive at the data mart."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, Any, Self

from confluent_kafka import Consumer, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Collection

    from chaos.mart import Mart

INTERVAL = 0.03
"""Seconds between two looks: what a latency is rounded up by, at most."""
READ_SECONDS = 120
CHUNK = 5000


class Arrivals:
    """A thread that notes when each event of a subscription is first seen at the data mart; a context manager.

    `times`: seconds since the epoch, by the event's id.
    """

    def __init__(self, mart: Mart, subscription: str) -> None:
        self.times: dict[str, float] = {}
        self._mart = mart
        self._subscription = subscription
        self._after = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="arrivals", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL):
            ids, self._after = self._mart.arrivals(self._subscription, self._after)
            now = time.time()
            self.times |= dict.fromkeys(ids, now)


def written(bootstrap: str, topic: str, partitions: Collection[int]) -> dict[str, float]:
    """When each event of these partitions was written, in seconds since the epoch, by its id: Kafka's timestamps."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"look-{topic}", "log_level": 0})
    try:
        begun = [TopicPartition(topic, number, 0) for number in partitions]
        consumer.assign(begun)
        ends = [consumer.get_watermark_offsets(each, timeout=10) or (0, 0) for each in begun]
        return _timestamps(consumer, sum(high for _, high in ends))
    finally:
        consumer.close()


def _timestamps(consumer: Consumer, count: int) -> dict[str, float]:
    found: dict[str, float] = {}
    deadline = time.monotonic() + READ_SECONDS
    while len(found) < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"read {len(found)} of {count} events in {READ_SECONDS} s")
        messages: list[Any] = consumer.consume(CHUNK, 0.1)
        found |= {each.key().decode(): each.timestamp()[1] / 1000 for each in messages if each.error() is None}
    return found


def percentile(values: Collection[float], share: float) -> float:
    """The least value that so large a share of all do not exceed; NaN of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan
