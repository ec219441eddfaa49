"""What trace follows of one event: its records; of a scoring that comes as two, the records of both of its halves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from worker.audit.entering import redrives
from worker.audit.pairing import AROUND, Pairing, rings
from worker.model import Half, Pair, Side
from worker.rooms.identity import own_place, place_of
from worker.topics.spans import Bounds, Span
from worker.trace.life import Life, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from worker.model import Claim, Envelope
    from worker.rooms.suite import Decodes
    from worker.topics.reading import TopicReader

    Read = Callable[[list[Span], TopicReader, str], Iterator[Envelope]]

_NO_BOUND = 1 << 62
"""Bytes: what is joined here was found already, and is in memory."""


@dataclass(slots=True, eq=False)
class Trail:
    """A life and its records; `pairs` are the scorings that halves among them make."""

    life: Life
    records: list[Envelope]
    pairs: list[Pair] = field(default_factory=list)

    @property
    def steps(self) -> list[Envelope]:
        """What is walked through the rooms."""
        return [*self.pairs] if self.pairs else self.records


class Halves:
    """Of topics in which two records are one scoring. `read` gives the records of spans, under a name to show."""

    def __init__(self, topics: Collection[str], decoder: Decodes, read: Read) -> None:
        self.topics = topics
        self._decoder = decoder
        self._read = read

    def of(self, envelope: Envelope) -> Half | None:
        """Which half a record is; None where it is none."""
        found = self._decoder.event(envelope) if envelope.claim.topic in self.topics else None
        return found if isinstance(found, Half) else None

    def with_others(self, found: list[Envelope], reader: TopicReader) -> list[Envelope]:
        """The same records, and those around them in their partitions that may be their other halves."""
        known = {own_place(each): each for each in found}
        sides: dict[tuple[Claim, str], set[Side]] = {}
        halves = [(half, each) for each in found if (half := self.of(each)) is not None]
        for half, each in halves:
            sides.setdefault((each.claim, half.key), set()).add(half.side)
        for half, each in halves:
            if len(sides[each.claim, half.key]) < len(Side):
                known |= {own_place(other): other for other in self._around(half, each, reader)}
        return sorted(known.values(), key=own_place)

    def _around(self, half: Half, envelope: Envelope, reader: TopicReader) -> list[Envelope]:
        """All halves of its scoring, up to the distance at which there is one of the other side."""
        topic, partition, offset = own_place(envelope)
        log = {(each.topic, each.partition): each for each in reader.find([topic], Bounds(partition=partition))}
        found: list[Envelope] = []
        met = False
        for number, ring in enumerate(rings([Span(topic, partition, offset, offset + 1)], log)):
            if met and not number % 2:  # both sides of a distance are looked at
                break
            for each in self._read(ring, reader, "other half"):
                other = self.of(each)
                if other is not None and other.key == half.key:
                    found.append(each)
                    met = met or other.side is not half.side
        return found

    def joined(self, trails: dict[Place, Trail]) -> dict[Place, Trail]:
        """The trails, those of halves that are one scoring made one; their dead letters have to be known."""
        records = (each for trail in trails.values() for each in trail.records)
        pairing = Pairing(lambda half: _lettered(half, trails), _NO_BOUND, _NO_BOUND)
        pairs, _ = pairing.join(self._in_order(records))
        for pair in pairs:
            request, response = (Place(*place_of(each)) for each in (pair.request, pair.response))
            _merge(trails, *sorted((request, response)))
            trails[request].pairs.append(pair)
        return trails

    def _in_order(self, records: Iterable[Envelope]) -> Iterator[tuple[Half, Envelope]]:
        for each in sorted(records, key=own_place):
            half = self.of(each)
            if half is not None:
                yield half, each


def lone(trail: Trail, sides: Iterable[Side | None]) -> str | None:
    """What is said of a half whose other half was not found; None where there is no such half."""
    side = next((each for each in sides if each is not None), None)
    if side is None or trail.pairs:
        return None
    return f"no {side.other} with its id was found within {AROUND[-1]:,} offsets around it"


def _lettered(half: Envelope, trails: dict[Place, Trail]) -> bool:
    place = place_of(half)
    count = 0 if place == own_place(half) else redrives(half.headers)
    return any(letter.redrives >= count for letter in trails[Place(*place)].life.letters)


def _merge(trails: dict[Place, Trail], first: Place, second: Place) -> None:
    """Make one of two trails, under both places; the first record of the older half is the first of all."""
    kept, other = trails[first], trails[second]
    if kept is other:
        return
    kept.records += other.records
    kept.records.sort(key=lambda each: (place_of(each) != own_place(each), own_place(each)))
    kept.life.letters += other.life.letters
    kept.pairs += other.pairs
    for place, each in list(trails.items()):
        if each is other:
            trails[place] = kept
