"""Looks an event up: by its place, or by its scoring id among all records of a time."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from worker.audit.entering import redrives
from worker.audit.held import Table, moment
from worker.audit.letters import letter_topics
from worker.audit.walking import Walker
from worker.dlq.headers import PARKED
from worker.dlq.headers import read as told_by
from worker.rooms.identity import own_place, place_of
from worker.topics.reading import TopicReader
from worker.topics.spans import Bounds, Span
from worker.topics.times import shown
from worker.trace.framing import Framing
from worker.trace.halves import Halves, Trail, lone
from worker.trace.life import Letter, Life, Place, lies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from rich.progress import Progress

    from worker.config import Settings
    from worker.mart.client import MartClient
    from worker.model import Envelope, Side

_ROW = re.compile(r"-\d+$")


class GoneError(Exception):
    """What was named is a dead letter whose event cannot be in Kafka any more; the message says why."""


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
        self._framing = Framing(self._walker.book, formats)
        paired = {each for each, name in formats.items() if name == "cloudevents"}
        self._halves = Halves(paired, self._walker.suite.decoder, self._read)

    def close(self) -> None:
        """Close the registry's connections."""
        self._walker.close()

    def trace(self, what: str, bounds: Bounds) -> list[Life]:
        """The lives that are meant: none if nothing is found, several where events share a scoring id.

        Raises:
            GoneError: it is a dead letter of a topic that was deleted.
        """
        with TopicReader(self._settings.kafka) as reader:
            place = self._place(what, reader)
            found = self._by_id(what, bounds, reader) if place is None else self._at(place, reader)
            trails = self._grouped(self._halves.with_others(found, reader), reader)
            self._letters(trails, reader)
            if place is not None:
                self._copies(trails, bounds, reader)
            self._halves.joined(trails)
            meant = list(dict.fromkeys(trails[_first(each)] for each in found))
            self._commits(meant, reader)
        for trail in meant:
            self._walk(trail)
            self._rows(trail.life)
            trail.life.judge()
        return [trail.life for trail in meant]

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
                if told is not None and told.of_another(self._walker.topic_ids):
                    raise GoneError(f"{what} is of a topic {told.topic} that was deleted, and made anew since")
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
        spans = reader.find(self._settings.kafka.topics, bounds)
        return [each for each in self._read(spans, reader, "events") if self._is_of(each, ids, texts)]

    def _is_of(self, envelope: Envelope, ids: set[str], texts: list[bytes]) -> bool:
        value = envelope.value or b""
        derived = self._walker.suite.identity.scoring_id(envelope) in ids
        perhaps = derived or any(each in value for each in texts)
        if not (perhaps or self._framing.hides(envelope)):
            return False
        event = self._walker.event(envelope)
        given = None if event is None else event.scoring_id
        return given in ids if given else derived

    # --- its copies and letters ---------------------------------------------------------------------------------

    def _grouped(self, found: list[Envelope], reader: TopicReader) -> dict[Place, Trail]:
        """Records by the place where each event was first, the first record first."""
        trails: dict[Place, Trail] = {}
        for each in found:
            trails.setdefault(_first(each), Trail(Life(_first(each)), [])).records.append(each)
        for first, trail in trails.items():
            known = first.topic in self._settings.kafka.topics
            if known and all(_own(each) != first for each in trail.records):
                trail.records[:0] = [each for each in self._at(first, reader) if _own(each) == first]
        return trails

    def _letters(self, trails: dict[Place, Trail], reader: TopicReader) -> None:
        """All dead letters are looked through: a letter's time is its record's, and so in no order."""
        for parked in (False, True) if trails else ():
            topics = [topic for topic, is_parking in self._letter_topics.items() if is_parking is parked]
            self._read_letters(trails, reader.find(topics, Bounds()) if topics else [], reader)

    def _read_letters(self, trails: dict[Place, Trail], spans: list[Span], reader: TopicReader) -> None:
        """A letter that was parked is told once, as long as it is still where it was; none of a topic made anew is."""
        for each in self._read(spans, reader, "dead letters"):
            told = told_by(each.headers)
            copied = (dict(each.headers).get(PARKED) or b"").decode(errors="replace")
            trail = None if told is None or told.place is None else trails.get(Place(*told.place))
            if told is None or trail is None or told.of_another(self._walker.topic_ids):
                continue
            if any(str(letter.place) == copied for letter in trail.life.letters):
                continue
            detail, when = told.detail if told.own else None, shown(each.timestamp_ms)
            trail.life.letters.append(
                Letter(_own(each), when, told.disposition, told.code, told.status, detail, told.redrives)
            )

    def _copies(self, trails: dict[Place, Trail], bounds: Bounds, reader: TopicReader) -> None:
        """What was sent back of a dead-lettered event: behind it, and in any partition."""
        for trail in trails.values():
            life, records = trail.life, trail.records
            if not life.letters or not records:
                continue
            since = max(records[0].timestamp_ms, 0)
            spans = reader.find([life.first.topic], Bounds(since=since, until=bounds.until))
            known = {_own(each) for each in records}
            found = (each for each in self._read(spans, reader, "copies") if each.headers)
            records += [each for each in found if _first(each) == life.first and _own(each) not in known]

    def _commits(self, trails: list[Trail], reader: TopicReader) -> None:
        own = {_own(each) for trail in trails for each in trail.records}
        spans = [Span(topic, partition, 0, 0) for topic, partition in sorted({(p.topic, p.partition) for p in own})]
        committed = reader.committed(spans) if spans else {}
        for trail in trails:
            sides: list[Side | None] = []
            for each in trail.records:
                place, half = _own(each), self._halves.of(each)
                sides.append(half.side if half is not None else None)
                offset = committed.get((place.topic, place.partition))
                found = lies(place, each.timestamp_ms, each.key, each.value, offset)
                times = redrives(each.headers) if place != _first(each) else 0
                trail.life.lies.append(replace(found, redrives=times, half=sides[-1]))
            trail.life.alone = lone(trail, sides)

    # --- what it is, and what is held of it -------------------------------------------------------------------------

    def _walk(self, trail: Trail) -> None:
        """Of the last record that can be read: a copy may have been repaired."""
        told = trail.life
        for envelope in trail.steps:
            told.framing, told.schema = self._framing.told(envelope)
            for seen in self._walker.see_envelopes([envelope]):
                target = self._walker.target(envelope)
                if target is not None:
                    told.binding, told.subscription = target.binding_id, target.subscription_id
                    told.deployment = target.deployment_id
                refusal = None if seen.alone else seen.refusal
                told.refusal = None if refusal is None else f"{refusal.disposition} ({refusal.code}): {refusal.detail}"
                told.scoring_id = seen.scoring_id or self._walker.scoring_id(envelope)
                told.scoring_timestamp, told.expected_rows = seen.timestamp, seen.rows

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
    return Place(*own_place(envelope))


def _first(envelope: Envelope) -> Place:
    return Place(*place_of(envelope))
