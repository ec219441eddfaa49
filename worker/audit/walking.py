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
from worker.model import Claim, Disposition, Envelope, Event, Half, Pair, Refusal, Rejection, Target
from worker.rooms.encode import timestamp
from worker.rooms.identity import Identity
from worker.rooms.suite import Suite
from worker.rooms.validate import LATEST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from confluent_kafka import Message

    from worker.audit.pairing import Pairing
    from worker.config import Settings
    from worker.mart.client import MartClient
    from worker.rooms.decode import Asked
    from worker.rooms.directory import Subscription

REGISTRY_SECONDS = 60.0
"""How long the registry has to answer for a schema."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a record, or a pair of them, comes to: `rows` of `scoring_id` in a subscription, or a `refusal`.

    `timestamp` is what would be posted, None where nothing would; `subscription` may be known of what is refused, too.
    `alone`: half of a scoring without the other; what is told of that it tells by itself.
    """

    envelope: Envelope
    subscription: str | None
    scoring_id: str = ""
    rows: int = 0
    timestamp: str | None = None
    refusal: Refusal | None = None
    alone: bool = False


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
        self.topic_ids = cluster.topic_ids
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

    def see(self, messages: Iterable[Message], pairing: Pairing | None = None) -> Iterator[Seen]:
        """What each record comes to, in any order; raises `ClusterError` where the registry does not answer.

        `pairing` joins halves of scorings; without it each is alone.
        """
        return self.see_envelopes([self.envelope(each) for each in messages], pairing)

    def see_envelopes(self, waiting: Sequence[Envelope], pairing: Pairing | None = None) -> Iterator[Seen]:
        """The same of records that are envelopes already, or pairs of them."""
        until = time.monotonic() + REGISTRY_SECONDS
        while waiting:
            passed = self.suite.walk(waiting, self.directory)
            for row in passed.rows:
                yield _row(row.envelope, row.subscription_id, row.payload)
            for each in (*passed.rejected, *passed.unknown):
                yield Seen(each.envelope, self._subscription_of(each.envelope), refusal=each.refusal)
            pairs, alone = pairing.join(passed.halves) if pairing is not None else ([], map(_unpaired, passed.halves))
            yield from map(self.alone, alone)
            self._ask([asked for asked, _ in passed.unread], until)
            waiting = [*(envelope for _, envelope in passed.unread), *pairs]

    def see_others(self, messages: Iterable[Message], pairing: Pairing) -> Iterator[Seen]:
        """What scorings come to whose one half waits, and whose other one is among these records."""
        envelopes = (self.envelope(each) for each in messages)
        found = ((self.suite.decoder.event(each), each) for each in envelopes)
        halves = [(half, each) for half, each in found if isinstance(half, Half) and pairing.waits(half, each.claim)]
        pairs, alone = pairing.join(halves)
        yield from map(self.alone, alone)
        yield from self.see_envelopes(pairs)

    def alone(self, rejection: Rejection) -> Seen:
        """What half of a scoring tells by itself, and why it is refused."""
        envelope = rejection.envelope
        event, target = self.event(envelope), self.target(envelope)
        subscription = None if target is None else target.subscription_id
        when = None if event is None or event.scored_at is None else event.scored_at
        when = envelope.timestamp_ms * 1000 if when is None else when
        time_ = timestamp(when) if 0 <= when < LATEST else None
        return Seen(envelope, subscription, self.scoring_id(envelope), 0, time_, rejection.refusal, alone=True)

    def event(self, envelope: Envelope) -> Event | None:
        """The event of a record, if it can be read: of half a scoring with its names, and no sense in its bodies."""
        found = self.suite.decoder.event(envelope)
        if isinstance(found, Half):
            found = self.suite.decoder.event(Pair.of(envelope, envelope))
        return found if isinstance(found, Event) else None

    def target(self, envelope: Envelope) -> Target | None:
        """Whom a record is for, where that can be read from it and is known."""
        event = self.event(envelope)
        if event is None:
            return None
        found = self.directory.resolve(event.binding, event.asset, event.deployment)
        return found if isinstance(found, Target) else None

    def scoring_id(self, envelope: Envelope) -> str:
        """The id that an event has or would have; derived from its place where it cannot be read."""
        event = self.event(envelope)
        given = None if event is None else event.scoring_id
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


def _unpaired(found: tuple[Half, Envelope]) -> Rejection:
    """In the worker's words."""
    half, envelope = found
    detail = f"no {half.side.other} with the id of this {half.side} was found"
    return Rejection(envelope, Refusal(Disposition.VALIDATION, f"unpaired-{half.side}", detail))


def _row(envelope: Envelope, subscription: str, payload: bytes) -> Seen:
    record = orjson.loads(payload)
    rows = len(record["response"]["values"])
    return Seen(envelope, subscription, record["scoring_id"], rows, record.get("scoring_timestamp"))
