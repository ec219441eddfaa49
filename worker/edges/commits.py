"""Commits: of owned partitions only, at any time but after a failure, and offered again where they fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from confluent_kafka import Consumer

    from worker.edges.claims import Claims
    from worker.edges.failures import Failures
    from worker.model import Claim

log = structlog.get_logger()


class Commits:
    """Sends commits, and keeps account of those without an answer and of those that failed.

    `note` has the text that is committed with a position; None: there are none. Nor are there any more once a broker
    has refused one as too long (`offset.metadata.max.bytes`): a position without a text is worth more than none.
    """

    def __init__(self, claims: Claims, failures: Failures, note: Callable[[Claim, int], str] | None = None) -> None:
        self._claims = claims
        self._failures = failures
        self._note_of = note or (lambda _claim, _mark: "")
        self._has_texts = True
        self._failed: list[Claim] = []
        self.waiting = 0
        """Commits that the broker has not answered."""

    def send(self, consumer: Consumer, marks: Mapping[Claim, int], *, wait: bool) -> bool:
        """Commit positions of claims that are owned; `wait`: until the broker has answered.

        The broker would accept a commit for a partition that is not owned, and move it backwards. False: it is known
        already that the commit failed (a rebalance is under way, no broker answers); it has to be offered again.
        """
        owned = {claim: mark for claim, mark in marks.items() if self._claims.owns(claim)}
        if not owned:
            return True
        if self._failures.any:
            return False
        had_texts = self._has_texts
        sent = self._try(consumer, owned, wait=wait)
        if sent or self._has_texts or not had_texts:
            return sent
        self._failed = [claim for claim in self._failed if claim not in owned]  # refused for their texts: without, now
        return self._try(consumer, owned, wait=wait)

    def _try(self, consumer: Consumer, owned: Mapping[Claim, int], *, wait: bool) -> bool:
        offsets = [
            TopicPartition(claim.topic, claim.partition, mark, metadata=self._text(claim, mark))
            for claim, mark in owned.items()
        ]
        try:
            return self._send(consumer, offsets, wait=wait)
        except KafkaException as error:
            self._failures.note(error.args[0])
            self._look_for_refused_texts([error.args[0]])
            self._failed.extend(owned)
            return False

    def _text(self, claim: Claim, mark: int) -> str:
        return self._note_of(claim, mark) if self._has_texts else ""

    def _look_for_refused_texts(self, errors: Iterable[KafkaError | None]) -> None:
        codes = {error.code() for error in errors if error is not None}
        if self._has_texts and KafkaError.OFFSET_METADATA_TOO_LARGE in codes:
            self._has_texts = False
            log.warning("notes.refused", error="OFFSET_METADATA_TOO_LARGE")

    def _send(self, consumer: Consumer, offsets: list[TopicPartition], *, wait: bool) -> bool:
        if not wait:
            consumer.commit(offsets=offsets, asynchronous=True)
            self.waiting += 1
            return True
        answered = consumer.commit(offsets=offsets, asynchronous=False)
        return self._note(None, answered or ())

    def answered(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        """The broker's word on a commit that was not waited for."""
        self.waiting = max(0, self.waiting - 1)
        self._note(error, partitions or ())

    def _note(self, error: KafkaError | None, partitions: Collection[TopicPartition]) -> bool:
        """Keep what failed; True if nothing did."""
        self._look_for_refused_texts([error, *(each.error for each in partitions)])
        failed = [each for each in partitions if error is not None or each.error is not None]
        self._failed += self._claims.on(failed)
        return not failed

    @property
    def any_failed(self) -> bool:
        """Whether there are commits to be offered again."""
        return bool(self._failed)

    def failed(self) -> list[Claim]:
        """Claims whose last commit failed, since this was last asked; it has to be offered again."""
        failed, self._failed = self._failed, []
        return failed
