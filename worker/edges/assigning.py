"""Sending partitions elsewhere: librdkafka cannot seek in one that it has stopped reading, only be assigned it anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka import OFFSET_INVALID, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from confluent_kafka import Consumer

    from worker.edges.claims import Claims
    from worker.model import Claim


def is_incremental(consumer: Mapping[str, Any]) -> bool:
    """Whether, with these settings, an assignment changes by single partitions; else librdkafka takes a whole one."""
    strategies = str(consumer.get("partition.assignment.strategy", ""))
    return str(consumer.get("group.protocol", "")).lower() == "consumer" or "cooperative" in strategies


def assign_anew(consumer: Consumer, claims: Claims, targets: Mapping[Claim, int], *, incremental: bool) -> None:
    """Read these owned claims from their targets on, and the others from where they are.

    librdkafka must not wait for an assignment of its own to be taken up: it would take this for the answer.
    """
    moved = [TopicPartition(claim.topic, claim.partition, offset) for claim, offset in targets.items()]
    if moved and incremental:
        consumer.incremental_unassign(moved)
        consumer.incremental_assign(moved)
    elif moved:
        places = {**claims.next, **targets}
        consumer.assign(
            [
                TopicPartition(
                    claim.topic, claim.partition, places.get(claim, OFFSET_INVALID)
                )  # that: the committed one
                for claim in claims.owned.values()
            ]
        )
