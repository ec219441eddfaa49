"""Records walked through the worker's own rooms, to know which row each would be, without posting any."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from worker.edges.cluster import ClusterError, describe
from worker.edges.envelopes import headers_of
from worker.edges.fetching import fetch_directory
from worker.edges.registry import RegistryClient
from worker.edges.schema_keeper import SchemaKeeper
from worker.edges.schemas import load_schemas
from worker.formats import decoder
from worker.model import Claim, Envelope, Event, Refusal, Target
from worker.rooms.identity import Identity
from worker.rooms.suite import Suite

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from confluent_kafka import Message

    from worker.config import Settings
    from worker.mart.client import MartClient
    from worker.rooms.decode import Asked
    from worker.rooms.directory import Subscription

REGISTRY_SECONDS = 60.0
"""How long the registry has to answer for a schema."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a record comes to: `rows` of `scoring_id` in a subscription, or a `refusal`.

    `timestamp` is what would be posted, None where nothing would; `subscription` may be known of what is refused, too.
    """

    envelope: Envelope
    subscription: str | None
    scoring_id: str = ""
    rows: int = 0
    timestamp: str | None = None
    refusal: Refusal | None = None


class Walker:
    """The rooms of a worker with these settings, and the directory as it is now."""

    def __init__(self, settings: Settings, mart: MartClient) -> None:
        """Ask for all that is needed.

        Raises:
            ClusterError, MartError, TokenError, RegistryError, SchemaDirectoryError: it is not to be had.
        """
        schemas, registry = settings.schemas, settings.schemas.registry
        self.book = load_schemas(schemas.directory, schemas.bare, asks=bool(registry.urls))
        client = RegistryClient(registry) if registry.urls else None
        self._keeper = SchemaKeeper(self.book, client, registry.unknown_seconds, lambda _: 1.0, time.monotonic)
        cluster = describe(settings.kafka, settings.kafka.topics)
        cluster.require(settings.kafka.topics)
        identity = Identity(cluster.id, cluster.topic_ids)
        self.suite = Suite(decoder(settings, self.book), identity, settings.limits.record_bytes)
        self.directory = fetch_directory(mart, 0)
        self._claims: dict[tuple[str, int], Claim] = {}

    def close(self) -> None:
        """Close the registry's connections."""
        self._keeper.close()

    def subscription(self, own: str) -> Subscription | None:
        """A subscription of the directory by its id."""
        return next((each for each in self.directory.known if each.id == own), None)

    def envelope(self, message: Any) -> Envelope:
        """A record as the rooms take it."""
        place = message.topic(), message.partition()
        claim = self._claims.get(place)
        if claim is None:
            claim = self._claims[place] = Claim(*place)
        return Envelope(
            claim, message.offset(), message.timestamp()[1], message.key(), message.value(), headers_of(message) or ()
        )

    def see(self, messages: Iterable[Message]) -> Iterator[Seen]:
        """What each record comes to, in any order; raises `ClusterError` where the registry does not answer."""
        return self.see_envelopes([self.envelope(each) for each in messages])

    def see_envelopes(self, waiting: Sequence[Envelope]) -> Iterator[Seen]:
        """The same of records that are envelopes already."""
        until = time.monotonic() + REGISTRY_SECONDS
        while waiting:
            passed = self.suite.walk(waiting, self.directory)
            for row in passed.rows:
                yield _row(row.envelope, row.subscription_id, row.payload)
            for each in (*passed.rejected, *passed.unknown):
                yield Seen(each.envelope, self._subscription_of(each.envelope), refusal=each.refusal)
            self._ask([asked for asked, _ in passed.unread], until)
            waiting = [envelope for _, envelope in passed.unread]

    def target(self, envelope: Envelope) -> Target | None:
        """Whom a record is for, where that can be read from it and is known."""
        event = self.suite.decoder.event(envelope)
        if not isinstance(event, Event):
            return None
        found = self.directory.resolve(event.binding, event.asset, event.deployment)
        return found if isinstance(found, Target) else None

    def scoring_id(self, envelope: Envelope) -> str:
        """The id that an event has or would have; derived from its place where it cannot be read."""
        event = self.suite.decoder.event(envelope)
        given = event.scoring_id if isinstance(event, Event) else None
        return given or self.suite.identity.scoring_id(envelope)

    def _subscription_of(self, envelope: Envelope) -> str | None:
        found = self.target(envelope)
        return None if found is None else found.subscription_id

    def _ask(self, wanted: Sequence[Asked], until: float) -> None:
        """Wait until the registry has answered for one of them."""
        left = set(wanted)
        while left and not self._keeper.poll(left):
            if time.monotonic() > until:
                raise ClusterError(f"the registry does not answer for {next(iter(left))}: {self._keeper.error}")
            time.sleep(0.02)


def _row(envelope: Envelope, subscription: str, payload: bytes) -> Seen:
    record = orjson.loads(payload)
    rows = len(record["response"]["values"])
    return Seen(envelope, subscription, record["scoring_id"], rows, record.get("scoring_timestamp"))
