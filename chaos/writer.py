"""Writes events to the ring's topic, and knows which event stands at which offset."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from confluent_kafka import Producer

from chaos.events import GOOD, Template, identity

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

FLUSH_SECONDS = 120


class Writer:
    """Produces with idempotence, in order: an event's offset is its place in `log`, its partition's list of ids.

    Safe from several threads. The topic must be empty, and nobody else may write to it.
    """

    def __init__(self, bootstrap: str, topic: str, partitions: int, tag: str, rng: random.Random) -> None:
        self.log: list[list[str]] = [[] for _ in range(partitions)]
        self.count = 0
        self._topic = topic
        self._tag = tag
        self._rng = rng
        self._lock = threading.Lock()
        self._failed: list[str] = []
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "linger.ms": 5,
                "queue.buffering.max.messages": 1_000_000,
                "on_delivery": self._reported,
                "delivery.report.only.error": True,
                "log_level": 0,
            }
        )

    def produce(
        self,
        count: int,
        kind: Template | Callable[[int], Template] = GOOD,
        *,
        partitions: Sequence[int] | None = None,
        **more: Any,
    ) -> list[str]:
        """Write so many events, acknowledged; their ids. `kind` may choose by the event's number in this ring.

        Partitions are chosen at random, of all or of those given. The record's key is the event's id.
        """
        with self._lock:
            numbers = range(self.count, self.count + count)
            self.count += count
            made = (kind, None) if isinstance(kind, Template) else (GOOD, kind)
            ids = [self._one(number, made, partitions, more) for number in numbers]
        return self._acknowledged(ids)

    def send(self, value: bytes | None, partition: int = 0, **more: Any) -> str:
        """Write any value as an event, which only its key names; its id."""
        with self._lock:
            event = identity(self._tag, self.count)
            self.count += 1
            self._put(event, value, partition, more)
        self._acknowledged([event])
        return event

    def flush(self) -> None:
        """Wait until all is acknowledged; raises `RuntimeError` where it is not."""
        left = self._producer.flush(FLUSH_SECONDS)
        if left or self._failed:
            raise RuntimeError(f"not produced: {left} events left, {len(self._failed)} refused {self._failed[:1]}")

    def _acknowledged(self, ids: list[str]) -> list[str]:
        self.flush()
        return ids

    def _one(
        self,
        number: int,
        made: tuple[Template, Callable[[int], Template] | None],
        partitions: Sequence[int] | None,
        more: dict[str, Any],
    ) -> str:
        template, choose = made
        event = identity(self._tag, number)
        partition = self._rng.choice(partitions) if partitions else int(self._rng.random() * len(self.log))
        self._put(event, (choose(number) if choose else template).value(event), partition, more)
        return event

    def _put(self, event: str, value: bytes | None, partition: int, more: dict[str, Any]) -> None:
        self.log[partition].append(event)  # before it is produced: a commit cannot pass what is not in here
        while True:
            try:
                self._producer.produce(self._topic, value, event, partition, **more)
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def _reported(self, error: object, _: object) -> None:
        if error is not None:
            self._failed.append(str(error))
