"""Partitions that librdkafka has stopped reading, for their next offset is not in the log, as far as it sees.

Kafka is asked what it has: records may have been deleted while they were replayed, which has to be told; or librdkafka
has seen what was so for a moment only, and the partition is read on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from confluent_kafka import KafkaException, TopicPartition

from worker.edges.claims import SourceError
from worker.edges.cluster import TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from confluent_kafka import Consumer

    from worker.model import Claim

MISTAKES = 20
"""How often reading goes on."""

log = structlog.get_logger()


class Stalls:
    """Notes them, and says whether they can be read on; `places` are the offsets that are read next."""

    def __init__(self, consumer: Consumer, places: Mapping[Claim, int]) -> None:
        self._consumer = consumer
        self._places = places
        self._why: dict[Claim, str] = {}
        self._mistakes = 0

    def __bool__(self) -> bool:
        return bool(self._why)

    def note(self, claim: Claim, why: str) -> None:
        """Librdkafka has stopped reading this."""
        self._why[claim] = why

    def clear(self) -> None:
        """Forget them, to be read on from the same places.

        Raises:
            SourceError: the records are not there any more, it stops again and again, or no broker answers.
        """
        why, self._why = self._why, {}
        self._mistakes += 1
        for claim, text in why.items():
            self._look(claim, self._places[claim], text)

    def _look(self, claim: Claim, offset: int, why: str) -> None:
        low, high = self._log_of(claim)
        place = f"{claim.topic}[{claim.partition}]"
        if not low <= offset <= high:
            raise SourceError(
                f"{place}: offset {offset} is not in the log any more, which holds {low} to {high}: records were "
                "deleted before they were read. The same command goes on with the rest"
            )
        if self._mistakes > MISTAKES:
            raise SourceError(f"{place}: offset {offset} cannot be read ({why}); the same command goes on from it")
        log.warning("replay.reads_on", topic=claim.topic, partition=claim.partition, offset=offset, text=why)

    def _log_of(self, claim: Claim) -> tuple[int, int]:
        """The first offset of its log, and the one behind the last."""
        try:
            found = self._consumer.get_watermark_offsets(TopicPartition(claim.topic, claim.partition), timeout=TIMEOUT)
        except KafkaException as error:
            raise SourceError(f"{claim.topic}: the offsets are not to be had ({error.args[0].str()})") from None
        if found is None:
            raise SourceError(f"{claim.topic}: no broker says what offsets there are; the same command goes on")
        return found
