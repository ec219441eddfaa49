"""The partitions that are owned, each as a claim, the offset that is read next of each, and who is told of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from worker.model import Claim

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from confluent_kafka import TopicPartition


class SourceError(Exception):
    """Kafka cannot be read any more; nothing was committed for it."""


class Holder(Protocol):
    """Who is told of claims; called on the thread that reads, while it reads."""

    def assigned(self, claims: Collection[Claim]) -> None:
        """Take charge of these."""

    def revoked(self, claims: Collection[Claim]) -> Mapping[Claim, int]:
        """Settle what can be settled, forget the rest, and return what to commit."""

    def lost(self, claims: Collection[Claim]) -> None:
        """Forget these: another worker may own them already."""


class Claims:
    """What is owned now. A partition that comes back is another claim, which nothing late of the old one meets."""

    def __init__(self) -> None:
        self.owned: dict[tuple[str, int], Claim] = {}
        """By topic and partition."""
        self.next: dict[Claim, int] = {}
        """The offset that is read next, of claims whose place is known here; of others only Kafka knows it."""
        self._epoch = 0

    def take(self, partitions: Iterable[TopicPartition]) -> list[Claim]:
        """New claims on these."""
        taken = []
        for each in partitions:
            self._epoch += 1
            claim = self.owned[each.topic, each.partition] = Claim(each.topic, each.partition, self._epoch)
            taken.append(claim)
        return taken

    def on(self, partitions: Iterable[TopicPartition]) -> list[Claim]:
        """The claims on those of these partitions that are owned."""
        found = (self.owned.get((each.topic, each.partition)) for each in partitions)
        return [claim for claim in found if claim is not None]

    def owns(self, claim: Claim) -> bool:
        """Whether this very claim is owned, not an older one on its partition."""
        return self.owned.get((claim.topic, claim.partition)) is claim

    def forget(self, claims: Iterable[Claim]) -> None:
        """These are owned no more."""
        for claim in claims:
            self.owned.pop((claim.topic, claim.partition), None)
            self.next.pop(claim, None)
