"""The composition root: settings in, a worker out, wired from source to sink in reading order."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import tenacity

from worker.edges.cluster import describe
from worker.edges.courier import Courier, DataSets
from worker.edges.deadletter import DeadLetters
from worker.edges.directory import DirectoryKeeper
from worker.edges.following import Pace
from worker.edges.registry import RegistryClient
from worker.edges.schema_keeper import SchemaKeeper
from worker.edges.schemas import load_schemas
from worker.edges.snapshot import Snapshot
from worker.edges.source import KafkaSource
from worker.edges.stop_note import StopNote
from worker.flow.batch import BatchPolicy
from worker.flow.breaker import BreakerPolicy
from worker.flow.flood import FloodPolicy
from worker.flow.flow import Flow
from worker.flow.policy import FlowPolicy
from worker.formats import decoder
from worker.group_stop import GroupStop
from worker.mart.client import MartClient, token_source
from worker.mart.token import FetchedToken
from worker.rooms.identity import Identity
from worker.rooms.suite import Suite
from worker.run import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from worker.config import Mart, Settings
    from worker.edges.cluster import Cluster
    from worker.mart.token import TokenSource
    from worker.seams import LetterBox, Poster, Rooms, Source, Warden

FIRST_WAIT = 0.25
"""Seconds that the first retry waits at most; the next up to twice as long, and so on."""

FIRST_LOOK, LONGEST_LOOK = 0.1, 5.0
"""Seconds before the first look at a request of v2, at most, and before any."""

BREAKER_FAILURES = 5
"""Failures in a row, without one success, that are an outage."""


@dataclass(frozen=True, slots=True)
class Inside:
    """What a worker has within, whatever it stands between."""

    settings: Settings
    clock: Callable[[], float]
    cluster: Cluster
    flow: Flow
    keeper: DirectoryKeeper
    tokens: TokenSource

    def courier(self) -> Courier:
        """Posts to the data mart."""
        settings = self.settings
        compress = settings.delivery.compression == "gzip"
        data_sets = _data_sets(settings, self.keeper)
        return Courier(settings.mart, self.tokens, settings.delivery.in_flight, compress=compress, data_sets=data_sets)

    def letters(self) -> DeadLetters:
        """Writes to the dead-letter topic."""
        settings, ids = self.settings, self.cluster.topic_ids
        convention = settings.dead_letter.headers
        return DeadLetters(settings.kafka, settings.dead_letter_topic, convention=convention, topic_ids=ids)


@dataclass(frozen=True, slots=True)
class Ends:
    """What a worker stands between; `rooms` may put something around the rooms."""

    source: Callable[[Worker], Source]
    courier: Poster
    letters: LetterBox
    stop: Warden
    rooms: Callable[[Suite], Rooms] = lambda suite: suite


def live(inside: Inside) -> Ends:
    """A member of the group, and the data mart; raises `ClusterError`."""
    kafka, clock = inside.settings.kafka, inside.clock
    group_stop = GroupStop(inside.flow, StopNote(kafka, clock))
    group_stop.read_now()
    return Ends(
        source=lambda worker: KafkaSource(kafka, worker, clock, inside.cluster.topic_ids, inside.flow.recall),
        courier=inside.courier(),
        letters=inside.letters(),
        stop=group_stop,
    )


def compose(settings: Settings, clock: Callable[[], float], ends: Callable[[Inside], Ends] = live) -> Worker:
    """Build a worker, between the given ends.

    Raises:
        ClientError, ClusterError, RegistryError, SchemaDirectoryError: Kafka, its settings or the schemas cannot be
            used; a schema registry need not be there.
    """
    kafka, mart = settings.kafka, settings.mart
    schemas = _schemas(settings, clock)
    cluster = describe(kafka, kafka.topics)
    cluster.require(kafka.topics)
    flow, tokens = Flow(flow_policy(settings, cluster.topic_ids)), token_source(mart)
    keeper = DirectoryKeeper(MartClient(mart, tokens), mart.refresh_seconds, clock, _snapshot(mart))
    found = ends(Inside(settings, clock, cluster, flow, keeper, tokens))
    suite = Suite(
        decoder(settings, schemas.book),
        Identity(cluster.id, cluster.topic_ids),
        settings.limits.record_bytes,
    )
    return Worker(
        make_source=found.source,
        suite=found.rooms(suite),
        flow=flow,
        courier=found.courier,
        letters=found.letters,
        keeper=keeper,
        schemas=schemas,
        group_stop=found.stop,
        token_fetches=lambda: tokens.fetches if isinstance(tokens, FetchedToken) else 0,
        drain=settings.delivery.drain_seconds,
        clock=clock,
    )


def _schemas(settings: Settings, clock: Callable[[], float]) -> SchemaKeeper:
    given, registry = settings.schemas, settings.schemas.registry
    book = load_schemas(given.directory, given.bare, asks=bool(registry.urls))
    client = RegistryClient(registry) if registry.urls else None
    wait = full_jitter(FIRST_WAIT, settings.delivery.retry_wait_max_seconds)
    return SchemaKeeper(book, client, registry.unknown_seconds, wait, clock)


def _snapshot(mart: Mart) -> Snapshot | None:
    of = f"{mart.url} {mart.data_mart_id}" + (f" {mart.api}" if mart.api != "v1" else "")
    return Snapshot(mart.snapshot, of) if mart.snapshot else None


def _data_sets(settings: Settings, keeper: DirectoryKeeper) -> DataSets | None:
    if settings.mart.api == "v1":
        return None
    looks = full_jitter(FIRST_LOOK, LONGEST_LOOK)
    return DataSets(keeper.data_set, Pace(looks, settings.delivery.retry_after_max_seconds))


def flow_policy(settings: Settings, topic_ids: Mapping[str, str] | None = None) -> FlowPolicy:
    """The flow's bounds and patience as the settings have them."""
    ids, group = topic_ids or {}, zlib.crc32(settings.kafka.group_id.encode())
    halved = [topic for topic, name in settings.events.formats.items() if name == "cloudevents"]
    # what a group has settled is nothing to another whose offsets were copied from it
    paired = {topic: f"{ids.get(topic, topic)}/{group:08x}" for topic in halved}
    batch, delivery, limits, flood = settings.batch, settings.delivery, settings.limits, settings.flood_guard
    wait = full_jitter(FIRST_WAIT, delivery.retry_wait_max_seconds)
    return FlowPolicy(
        batch=BatchPolicy(batch.records, batch.bytes, batch.linger_ms / 1000),
        breaker=BreakerPolicy(BREAKER_FAILURES, wait),
        flood=FloodPolicy(flood.share, flood.records, flood.unknown_asset_records),
        wait=wait,
        records=limits.records,
        size=limits.bytes,
        in_flight=delivery.in_flight,
        attempts=delivery.attempts,
        retry_after=delivery.retry_after_max_seconds,
        by_subscription=settings.by_subscription,
        pairing=settings.events.pairing_seconds,
        paired=paired,
    )


def full_jitter(first: float, longest: float) -> Callable[[int], float]:
    """Exponential waits with full jitter: the n-th is between 0 and `first` * 2**(n - 1) seconds, at most `longest`."""
    wait = tenacity.wait_random_exponential(multiplier=first, max=longest)

    def seconds(attempt: int) -> float:
        state = tenacity.RetryCallState(cast("Any", None), None, (), {})
        state.attempt_number = attempt
        return wait(state)

    return seconds
