"""The plan of a replay, from Kafka's own word: offsets by time, what the replay's group has done, and a sample."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from worker.edges.cluster import describe
from worker.replay.ends import ENDLESS
from worker.replay.plan import Plan, legs
from worker.topics.reading import TopicReader
from worker.topics.spans import Bounds, Span

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worker.config import Kafka
    from worker.replay.plan import Asked, Leg, Partition

SAMPLE = 50
"""Records that are read of the middle of each partition's part."""

SAMPLED = 16
"""Partitions of which some are read at most."""


def in_group(kafka: Kafka, group: str) -> Kafka:
    """The same cluster, as another group."""
    return kafka.model_copy(update={"group_id": group})


def plan(kafka: Kafka, asked: Asked, *, restart: bool) -> Plan:
    """What is to be read, and about how much that is; raises `ClusterError`."""
    cluster = describe(kafka, asked.topics)
    cluster.require(asked.topics)
    group = asked.group(kafka.group_id, cluster.topic_ids)
    with TopicReader(in_group(kafka, group)) as reader:
        spans = [span for span in reader.find(asked.topics, asked.bounds) if span.count]
        found = legs(spans, {} if restart else reader.committed(spans), restart=restart)
        return Plan(group, found, restart, _sampled(reader, found))


def _sampled(reader: TopicReader, found: Sequence[Leg]) -> Mapping[Partition, tuple[int, int]]:
    """Records and their bytes, from the middle of what is left of the largest parts."""
    largest = sorted((leg.left for leg in found if leg.left.count), key=lambda span: -span.count)[:SAMPLED]
    sampled: dict[Partition, tuple[int, int]] = {}
    for chunk in reader.read([_middle(span) for span in largest]):
        for message in chunk:
            place = str(message.topic()), int(message.partition() or 0)
            records, size = sampled.get(place, (0, 0))
            sampled[place] = (records + 1, size + len(message.value() or b"") + len(message.key() or b""))
    return sampled


def _middle(span: Span) -> Span:
    begin = max(span.begin, (span.begin + span.end - SAMPLE) // 2)
    return replace(span, begin=begin, end=min(span.end, begin + SAMPLE))


def from_where_it_is(kafka: Kafka, *, endless: bool) -> list[Span]:
    """Each partition from where the live group would read on, to the end of its log as it is now, or without end.

    Raises:
        ClusterError: Kafka does not answer, or has no such topic.
    """
    with TopicReader(kafka) as reader:
        spans = reader.find(kafka.topics, Bounds())
        committed = reader.committed(spans)
    latest = str(kafka.consumer.get("auto.offset.reset", "")) in {"latest", "largest", "end"}
    return [
        onwards(span, committed.get((span.topic, span.partition)), latest=latest, endless=endless) for span in spans
    ]


def onwards(span: Span, committed: int | None, *, latest: bool, endless: bool) -> Span:
    """What a worker would read of a partition whose log is `span`; `latest`: where nothing is committed, new records.

    What is committed and no longer, or not yet, in the log counts as the nearer end of it.
    """
    otherwise = span.end if latest else span.begin
    begin = otherwise if committed is None else min(max(committed, span.begin), span.end)
    return replace(span, begin=begin, end=ENDLESS if endless else span.end)
