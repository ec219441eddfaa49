"""Which partitions librdkafka shall not fetch now, and what it has been told of that already.

A pause drops what librdkafka has fetched of the partition; it fetches from the next unread offset once resumed. So it
is told of changes only. It keeps a partition paused across a revocation and a new assignment: a new claim is told of
either way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import TopicPartition

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from confluent_kafka import Consumer

    from worker.edges.claims import Claims
    from worker.model import Claim


class Pausing:
    """All partitions, or those that are held; the rest is read."""

    def __init__(self, consumer: Consumer, claims: Claims) -> None:
        self._consumer = consumer
        self._claims = claims
        self._all = False
        self._held: frozenset[Claim] = frozenset()
        self._told: dict[Claim, bool] = {}

    def all(self, *, paused: bool) -> None:
        """Pause everything, or no more than what is held."""
        if paused != self._all:
            self._all = paused
            self.tell()

    def hold(self, claims: Collection[Claim]) -> None:
        """Pause these, and of the others none for that."""
        held = frozenset(claims)
        if held != self._held:
            self._held = held
            self.tell()

    def stop_short(self) -> None:
        """Pause all claims at once, whatever is wanted; `tell` puts that right."""
        self._told = {}
        self._pause(self._claims.owned.values())

    def tell(self) -> None:
        """Tell librdkafka what it does not know: pauses and resumptions, and all about new claims."""
        wanted = {claim: self._all or claim in self._held for claim in self._claims.owned.values()}
        news = {claim: paused for claim, paused in wanted.items() if self._told.get(claim) is not paused}
        self._told = wanted
        self._pause(claim for claim, paused in news.items() if paused)
        self._resume(claim for claim, paused in news.items() if not paused)

    def _pause(self, claims: Iterable[Claim]) -> None:
        partitions = [TopicPartition(claim.topic, claim.partition) for claim in claims]
        if partitions:
            self._consumer.pause(partitions)

    def _resume(self, claims: Iterable[Claim]) -> None:
        partitions = [TopicPartition(claim.topic, claim.partition) for claim in claims]
        if partitions:
            self._consumer.resume(partitions)
