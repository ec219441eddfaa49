"""Looks an event up: by its place, or by its scoring id among all records of a time."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from worker.audit.auditing import redrives
from worker.audit.held import Table, moment
from worker.audit.letters import letter_topics
from worker.audit.walking import Walker
from worker.dlq.headers import PARKED
from worker.dlq.headers import read as told_by
from worker.model import Event
from worker.rooms.framing import (
    Fingerprint,
    Framed,
    GlueVersion,
    SchemaGuid,
    SchemaId,
    TopicSchema,
    read_framing,
)
from worker.rooms.identity import first_place
from worker.topics.reading import TopicReader
from worker.topics.spans import Bounds, Span
from worker.topics.times import shown
from worker.trace.life import Letter, Life, Place, lies

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from rich.progress import Progress

    from worker.config import Settings
    from worker.mart.client import MartClient
    from worker.model import Envelope
    from worker.rooms.framing import SchemaRef

_FRAMINGS: Mapping[type, str] = {
    SchemaId: "Confluent",
    SchemaGuid: "Confluent, in a header",
    GlueVersion: "AWS Glue",
    Fingerprint: "Avro single object",
    TopicSchema: "bare body",
}
_JSON = "JSON event"
_ROW = re.compile(r"-\d+$")


class NotFollowedError(Exception):
    """The event is, or may be, two records of this topic: such scorings cannot be traced."""


class Tracer:
    """To be closed. Whatever is asked for raises `ClusterError`, `MartError` or `TokenError`."""

    def __init__(self, settings: Settings, mart: MartClient, progress: Progress) -> None:
        """Raises as `Walker`."""
        self._settings = settings
        self._mart = mart
        self._progress = progress
        self._walker = Walker(settings, mart)
        self._letter_topics = letter_topics(settings, settings.kafka.topics)
        formats = settings.events.formats
        self._pairs = [each for each in settings.kafka.topics if formats.get(each) == "cloudevents"]
        self._single = [each for each in settings.kafka.topics if each not in self._pairs]
        self._json = {each for each in self._single if formats.get(each) == "json"}

    def close(self) -> None:
        """Close the registry's connections."""
        self._walker.close()

    def trace(self, what: str, bounds: Bounds) -> list[Life]:
        """The lives that are meant: none if nothing is found, several where events share a scoring id.

        Raises:
            NotFollowedError: it is of a topic of CloudEvents, or is not found, and may be of one.
        """
        with TopicReader(self._settings.kafka) as reader:
            place = self._place(what, reader)
            if place is not None and place.topic in self._pairs:
                raise NotFollowedError(place.topic)
            found = self._by_id(what, bounds, reader) if place is None else self._at(place, reader)
            lives = self._grouped(found, reader)
            self._letters(lives, reader)
            if place is not None:
                self._copies(lives, bounds, reader)
            self._commits(lives, reader)
        if place is None and not lives and self._pairs:
            raise NotFollowedError(self._pairs[0])
        for life in lives.values():
            self._walk(life)
            self._rows(life[0])
            life[0].judge()
        return [life for life, _ in lives.values()]

    # --- where it lies ------------------------------------------------------------------------------------------

    def _place(self, what: str, reader: TopicReader) -> Place | None:
        """What was typed as a place; a dead letter's stands for the place that it tells."""
        topic, _, rest = what.partition(":")
        partition, _, offset = rest.partition(":")
        known = topic in {*self._settings.kafka.topics, *self._letter_topics}
        if not (known and partition.isdecimal() and offset.isdecimal()):
            return None
        place = Place(topic, int(partition), int(offset))
        if topic in self._letter_topics:
            for envelope in self._at(place, reader):
                told = told_by(envelope.headers)
                return Place(*told.place) if told is not None and told.place is not None else None
        return place

    def _at(self, place: Place, reader: TopicReader) -> list[Envelope]:
        bounds = Bounds(partition=place.partition, offset_from=place.offset, offset_to=place.offset + 1)
        return list(self._read(reader.find([place.topic], bounds), reader, "record"))

    def _read(self, spans: list[Span], reader: TopicReader, name: str) -> Iterator[Envelope]:
        task = self._progress.add_task(name, total=sum(each.count for each in spans))
        for chunk in reader.read(spans):
            yield from (self._walker.envelope(each) for each in chunk)
            self._progress.advance(task, len(chunk))

    def _by_id(self, wanted: str, bounds: Bounds, reader: TopicReader) -> list[Envelope]:
        """Records of the events of a scoring id, or of a row's id; in Avro, given ids lie in the record as they are."""
        ids = {wanted, _ROW.sub("", wanted)}
        texts = [each.encode() for each in ids]
        spans = reader.find(self._single, bounds) if self._single else []
        return [each for each in self._read(spans, reader, "events") if self._is_of(each, ids, texts)]

    def _is_of(self, envelope: Envelope, ids: set[str], texts: list[bytes]) -> bool:
        value = envelope.value or b""
        derived = self._walker.suite.identity.scoring_id(envelope) in ids
        perhaps = derived or any(each in value for each in texts)
        if not (perhaps or envelope.claim.topic in self._json or self._is_compressed(envelope)):
            return False
        event = self._walker.suite.decoder.event(envelope)
        given = event.scoring_id if isinstance(event, Event) else None
        return given in ids if given else derived

    def _is_compressed(self, envelope: Envelope) -> bool:
        found = self._framed(envelope)
        return isinstance(found, Framed) and found.compressed

    def _framed(self, envelope: Envelope) -> Framed | str:
        if not envelope.value:
            return "no value"
        topic, book = envelope.claim.topic, self._walker.book
        bare = book.bare(topic)
        return read_framing(envelope.value, topic, bare=bare, headers=envelope.headers, known=book.readers)

    # --- its copies and letters ---------------------------------------------------------------------------------

    def _grouped(self, found: list[Envelope], reader: TopicReader) -> dict[Place, tuple[Life, list[Envelope]]]:
        """Records by the place where each event was first, the first record first."""
        lives: dict[Place, tuple[Life, list[Envelope]]] = {}
        for each in found:
            lives.setdefault(_first(each), (Life(_first(each)), []))[1].append(each)
        for first, (_, records) in lives.items():
            known = first.topic in self._settings.kafka.topics
            if known and all(_own(each) != first for each in records):
                records[:0] = [each for each in self._at(first, reader) if _own(each) == first]
        return lives

    def _letters(self, lives: dict[Place, tuple[Life, list[Envelope]]], reader: TopicReader) -> None:
        """All dead letters are looked through: a letter's time is its record's, and so in no order."""
        for parked in (False, True) if lives else ():
            topics = [topic for topic, is_parking in self._letter_topics.items() if is_parking is parked]
            self._read_letters(lives, reader.find(topics, Bounds()) if topics else [], reader)

    def _read_letters(
        self, lives: dict[Place, tuple[Life, list[Envelope]]], spans: list[Span], reader: TopicReader
    ) -> None:
        """A letter that was parked is told once, as long as it is still where it was."""
        for each in self._read(spans, reader, "dead letters"):
            told = told_by(each.headers)
            copied = (dict(each.headers).get(PARKED) or b"").decode(errors="replace")
            life = None if told is None or told.place is None else lives.get(Place(*told.place))
            if told is None or life is None or any(str(letter.place) == copied for letter in life[0].letters):
                continue
            detail, when = told.detail if told.own else None, shown(each.timestamp_ms)
            life[0].letters.append(
                Letter(_own(each), when, told.disposition, told.code, told.status, detail, told.redrives)
            )

    def _copies(self, lives: dict[Place, tuple[Life, list[Envelope]]], bounds: Bounds, reader: TopicReader) -> None:
        """What was sent back of a dead-lettered event: behind it, and in any partition."""
        for life, records in lives.values():
            if not life.letters or not records:
                continue
            since = max(records[0].timestamp_ms, 0)
            spans = reader.find([life.first.topic], Bounds(since=since, until=bounds.until))
            known = {_own(each) for each in records}
            found = (each for each in self._read(spans, reader, "copies") if each.headers)
            records += [each for each in found if _first(each) == life.first and _own(each) not in known]

    def _commits(self, lives: dict[Place, tuple[Life, list[Envelope]]], reader: TopicReader) -> None:
        own = {_own(each) for _, records in lives.values() for each in records}
        spans = [Span(topic, partition, 0, 0) for topic, partition in sorted({(p.topic, p.partition) for p in own})]
        committed = reader.committed(spans) if spans else {}
        for life, records in lives.values():
            for each in records:
                place = _own(each)
                found = lies(
                    place, each.timestamp_ms, each.key, each.value, committed.get((place.topic, place.partition))
                )
                copy = place != life.first
                life.lies.append(replace(found, redrives=redrives(each.headers) if copy else 0))

    # --- what it is, and what is held of it -------------------------------------------------------------------------

    def _walk(self, life: tuple[Life, list[Envelope]]) -> None:
        """Of the last record that can be read: a copy may have been repaired."""
        told, records = life
        for envelope in records:
            framed = _JSON if envelope.claim.topic in self._json else self._framed(envelope)
            told.framing = framed if isinstance(framed, str) else _FRAMINGS[type(framed.schema)]
            told.schema = None if isinstance(framed, str) else self._named(framed.schema)
            for seen in self._walker.see_envelopes([envelope]):
                target = self._walker.target(envelope)
                if target is not None:
                    told.binding, told.subscription = target.binding_id, target.subscription_id
                    told.deployment = target.deployment_id
                refusal = seen.refusal
                told.refusal = None if refusal is None else f"{refusal.disposition} ({refusal.code}): {refusal.detail}"
                told.scoring_id = seen.scoring_id or self._walker.scoring_id(envelope)
                told.scoring_timestamp, told.expected_rows = seen.timestamp, seen.rows

    def _named(self, schema: SchemaRef) -> str:
        reader = self._walker.book.readers.get(schema)
        return str(schema) if reader is None else f"{schema} ({reader.name})"

    def _rows(self, life: Life) -> None:
        """Where its rows must be by their time, and else everywhere."""
        found = None if life.subscription is None else self._walker.subscription(life.subscription)
        if found is None or life.scoring_id is None:
            return
        table, at = Table(self._mart, found), moment(life.scoring_timestamp)
        life.rows = self._rows_of(life.scoring_id, table, at)
        if at is not None and len(life.rows) < max(1, life.expected_rows):
            life.rows = self._rows_of(life.scoring_id, table, None)

    def _rows_of(self, scoring_id: str, table: Table, at: datetime | None) -> list[str]:
        task = self._progress.add_task("rows", total=None)
        found: set[str] = set()
        for page in table.window(at, at):
            found.update(each for each in page.ids if each.rpartition("-")[0] == scoring_id)
            self._progress.advance(task, len(page.ids))
        return sorted(found, key=lambda each: (len(each), each))


def _own(envelope: Envelope) -> Place:
    return Place(envelope.claim.topic, envelope.claim.partition, envelope.offset)


def _first(envelope: Envelope) -> Place:
    found = first_place(envelope) if envelope.headers else None
    return Place(*found) if found is not None else _own(envelope)
