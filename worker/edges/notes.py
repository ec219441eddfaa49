"""Texts that are committed with positions, as Kafka keeps some metadata with each, and read at an assignment."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol

import structlog
from confluent_kafka import KafkaException, TopicPartition

from worker.edges.watermarks import end_now

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from worker.model import Claim

TRIES = 3
"""How often the texts are asked for: without them halves whose others were stored are told as unpaired."""

TIMEOUT = 15.0
"""Seconds that an assignment waits for the texts, all tries together."""

WAIT = 0.5
"""Seconds between two tries."""

log = structlog.get_logger()


class Notes(Protocol):
    """Who writes the texts and reads them; called on the thread that reads."""

    def wants(self, claim: Claim) -> bool:
        """Whether a claim's partition has texts."""

    def text(self, claim: Claim, position: int) -> str:
        """What to commit with a position; empty: nothing."""

    def recall(self, claim: Claim, position: int, text: str, end: int) -> None:
        """Take in what was committed with the position that a claim begins at; its partition ends before `end` now."""


class _NoNotes:
    """Nothing but positions is committed."""

    def wants(self, _: Claim) -> bool:
        return False

    def text(self, _claim: Claim, _position: int) -> str:
        return ""

    def recall(self, claim: Claim, position: int, text: str, end: int) -> None:
        """Never called."""


NO_NOTES: Final[Notes] = _NoNotes()


class Asked(Protocol):
    """The part of a consumer that is used here."""

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        """What the group has committed; raises `KafkaException`."""

    def get_watermark_offsets(self, partition: TopicPartition, timeout: float) -> tuple[int, int] | None:
        """The lowest offset and the one after the last; raises `KafkaException`."""


def recall(
    consumer: Asked, claims: Collection[Claim], notes: Notes, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Read the texts of claims that were just assigned. Without an answer what they tell of is delivered again.

    A text is believed only with the end of its partition: where the log was cut back, new records have old offsets.
    """
    wanted = {(claim.topic, claim.partition): claim for claim in claims if notes.wants(claim)}
    for each in _committed(consumer, wanted, sleep):
        if each.offset < 0 or not each.metadata:
            continue
        claim = wanted[each.topic, each.partition]
        end = end_now(consumer, claim, TIMEOUT / TRIES)
        if end is None:
            _unread("no end of the log", [(claim.topic, claim.partition)])
        else:
            notes.recall(claim, each.offset, each.metadata, end)


def _committed(
    consumer: Asked, wanted: Collection[tuple[str, int]], sleep: Callable[[float], None]
) -> list[TopicPartition]:
    """What was committed for these, asked for again where there was an error."""
    found: list[TopicPartition] = []
    missing, error = set(wanted), ""
    for tried in range(TRIES):
        if not missing:
            return found
        sleep(WAIT if tried else 0)
        try:
            answered = consumer.committed(
                [TopicPartition(*place) for place in sorted(missing)], timeout=TIMEOUT / TRIES
            )
        except KafkaException as raised:
            error = raised.args[0].name()
            continue
        found += [each for each in answered if each.error is None]
        missing -= {(each.topic, each.partition) for each in answered if each.error is None}
        error = next((each.error.name() for each in answered if each.error is not None), "")
    if missing:
        _unread(error, missing)
    return found


def _unread(error: str, places: Collection[tuple[str, int]]) -> None:
    log.warning("notes.unread", error=error, partitions=[f"{topic}[{number}]" for topic, number in sorted(places)])
