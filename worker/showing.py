"""What the worker shows of itself: its parts' counts as one reading, and why it is not ready."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.model import Disposition
from worker.telemetry import Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from worker.edges.directory import DirectoryKeeper
    from worker.edges.schema_keeper import SchemaKeeper
    from worker.flow.account import Tally
    from worker.flow.flow import Flow
    from worker.rooms.directory import Directory
    from worker.seams import Source

NONE = {str(each): 0 for each in Disposition}
"""Every disposition from the start: a rate of what appears with its first burst would not show that burst."""

Counts = dict[str, "Mapping[tuple[str, ...], float]"]


@dataclass(frozen=True, slots=True)
class Parts:
    """What is looked at; `marks` is what was last handed to Kafka to be committed, by topic and partition."""

    flow: Flow
    source: Source
    keeper: DirectoryKeeper
    schemas: SchemaKeeper
    token_fetches: Callable[[], int]
    marks: Mapping[tuple[str, ...], float]


def trouble(parts: Parts, directory: Directory | None, now: float) -> str | None:
    """Why events cannot be delivered now, in a word or two; None where they can."""
    return next((reason for reason in _troubles(parts, directory, now) if reason), None)


def _troubles(parts: Parts, directory: Directory | None, now: float) -> Iterator[str | None]:
    """What might be told, the first that says most."""
    flow, source = parts.flow, parts.source
    yield flow.blocked(now) if flow.stopped else None
    yield "directory" if directory is None else None
    yield "no-partitions" if not source.claims else None
    yield from source.held.values()
    yield "directory" if flow.wants_directory and parts.keeper.error and flow.full else None
    yield "schema-registry" if flow.wanted_schemas and parts.schemas.error else None
    yield "dead-letter-topic" if flow.letter_error else None
    yield flow.blocked(now)


def reading(parts: Parts, directory: Directory | None, ready: str | None, now: float) -> Reading:
    """All counts as they are now."""
    return Reading(now, ready, _counters(parts), _gauges(parts, directory, now), started=directory is not None)


def _counters(parts: Parts) -> Counts:
    tally = parts.flow.account.tally
    return {
        **_records(tally),
        "http_requests": _labelled(tally.posts),
        "http_retries": _labelled(tally.retries),
        "commits_refused": {(): tally.commits_refused},
        "offsets_lost": {(topic, number): lost for (topic, number), lost in parts.source.offsets_lost.items()},
        "token_refresh": {(): parts.token_fetches()},
        "directory_fetches": {(): parts.keeper.fetches},
        "schema_fetches": _labelled(parts.schemas.outcomes),
        "rebalances": {(): parts.source.rebalances},
        "kafka_errors": _labelled(parts.source.errors),
    }


def _records(tally: Tally) -> Counts:
    return {
        "records_consumed": {(): tally.consumed},
        "records_delivered": {(): tally.delivered},
        "records_duplicate": {(): tally.duplicates},
        "records_rejected": _labelled({**NONE, **tally.rejected}),
        "records_deadlettered": _labelled({**NONE, **tally.lettered}),
        "dead_letter_failures": {(): tally.letter_failures},
    }


def _gauges(parts: Parts, directory: Directory | None, now: float) -> Counts:
    flow, source = parts.flow, parts.source
    return {
        "records_in_flight": {(): flow.open_records},
        "inflight_bytes": {(): flow.open_bytes},
        "records_unread": {(): flow.unread_records},
        "records_unpaired": {(): flow.halves},
        "posts_in_flight": {(): flow.posts_in_flight},
        "posts_limit": {(): flow.posts_limit},
        "circuit_state": {(): 1 if flow.blocked(now) else 0},
        "flood_stopped": {(): 1 if flow.stopped else 0},
        "partitions_paused": {(): len(flow.crowded)},
        "partition_held_up_offsets": {(claim.topic, str(claim.partition)): n for claim, n in flow.held_up.items()},
        "partitions_assigned": {(): len(source.claims)},
        "consumer_lag_messages": {(claim.topic, str(claim.partition)): lag for claim, lag in source.lag().items()},
        "commit_offset": dict(parts.marks),
        "directory_subscriptions": {(): directory.subscriptions if directory else 0},
    }


def _labelled(counts: Mapping[str, int]) -> dict[tuple[str, ...], float]:
    return {(str(name),): count for name, count in counts.items()}
