"""Texts that are committed with positions, as Kafka keeps some metadata with each, and read at an assignment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import structlog
from confluent_kafka import KafkaException, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Collection

    from confluent_kafka import Consumer

    from worker.model import Claim

TIMEOUT = 10.0
"""Seconds that an assignment waits at most for the texts."""

log = structlog.get_logger()


class Notes(Protocol):
    """Who writes the texts and reads them; called on the thread that reads."""

    def wants(self, claim: Claim) -> bool:
        """Whether a claim's partition has texts."""

    def text(self, claim: Claim, position: int) -> str:
        """What to commit with a position; empty: nothing."""

    def recall(self, claim: Claim, position: int, text: str) -> None:
        """Take in what was committed with the position that a claim begins at."""


class _NoNotes:
    """Nothing but positions is committed."""

    def wants(self, _: Claim) -> bool:
        return False

    def text(self, _claim: Claim, _position: int) -> str:
        return ""

    def recall(self, claim: Claim, position: int, text: str) -> None:
        """Never called."""


NO_NOTES: Final[Notes] = _NoNotes()


def recall(consumer: Consumer, claims: Collection[Claim], notes: Notes) -> None:
    """Read the texts of claims that were just assigned. Without an answer what they tell of is delivered again."""
    wanted = {(claim.topic, claim.partition): claim for claim in claims if notes.wants(claim)}
    if not wanted:
        return
    try:
        found = consumer.committed([TopicPartition(*place) for place in wanted], timeout=TIMEOUT)
    except KafkaException as error:
        log.warning("notes.unread", error=error.args[0].name())
        return
    for each in found:
        if each.error is None and each.offset >= 0 and each.metadata:
            notes.recall(wanted[each.topic, each.partition], each.offset, each.metadata)
