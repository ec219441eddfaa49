"""Where dead letters lie: in the dead-letter topics, and in those that they were parked in, for longer perhaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.dlq.headers import PARKING
from worker.edges.cluster import describe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.config import Settings


def letter_topics(settings: Settings, topics: Sequence[str]) -> dict[str, bool]:
    """The topics that dead letters of these may lie in; True for those that letters are only parked in.

    A letter that was parked is kept by its parking topic when the dead-letter topic does not keep it any more. Parking
    topics that are not there are left out; raises `ClusterError` where Kafka does not answer.
    """
    own = sorted({settings.dead_letter_topic(each) for each in topics})
    there = describe(settings.kafka, [each + PARKING for each in own]).partitions
    return {topic: True for topic, partitions in there.items() if partitions} | dict.fromkeys(own, False)
