"""What a record is in the books: an event, half of one, a copy that was sent back, or another subscription's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.model import Pair, apart
from worker.rooms.identity import own_place, place_of
from worker.rooms.places import REDRIVES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.audit.books import Books
    from worker.audit.walking import Seen
    from worker.model import Envelope

    Place = tuple[str, int, int]


class Entries:
    """Enters what is seen into books. `wanted`: the only subscription that counts; None: all do.

    `reach` has, for each partition, the first and the last offset of scorings one half of which lies outside of the
    spans: a replay has to reach so far to join them.
    """

    def __init__(self, books: Books, wanted: str | None) -> None:
        self._books = books
        self._wanted = wanted
        self.aside = 0
        self.reach: dict[tuple[str, int], tuple[int, int]] = {}

    def given_up(self, half: Envelope) -> bool:
        """Whether there is a dead letter of a half as it lies here, or of a later copy."""
        place = place_of(half)
        return self._books.given_up(place, 0 if place == own_place(half) else redrives(half.headers))

    def lacks(self, half: Envelope) -> bool:
        """Whether a half that is alone so far would be a gap."""
        own = own_place(half)
        return self._books.covers(own) and not self._books.is_open(own) and not self.given_up(half)

    def enter(self, seen: Seen) -> None:
        """Take in what a record, or two of them, came to; what lies outside of the spans counts for nothing."""
        records = [each for each in apart([seen.envelope]) if self._books.covers(own_place(each))]
        if self._wanted is not None and seen.subscription != self._wanted:
            self.aside += len(records)
            return
        if isinstance(seen.envelope, Pair):
            self._note_reach(seen.envelope, records)
        counted = [place for each in records if (place := self._counted(each, seen.envelope)) is not None]
        for number, place in enumerate(counted):
            self._enter(seen, place, again=number > 0)

    def _counted(self, record: Envelope, whole: Envelope) -> Place | None:
        """The place that a record counts for; None if that is not audited.

        Both halves of a scoring are settled together: with the older one, whose place the pair has.
        """
        own, place, at = own_place(record), place_of(record), own_place(whole)
        if place != own:
            return place if self._books.copy(at, place, redrives(record.headers)) else None
        if at != own and not self._books.is_open(at):
            self._books.settle(own)
        return place

    def _enter(self, seen: Seen, place: Place, *, again: bool) -> None:
        why = "" if seen.refusal is None else f"{seen.refusal.disposition} ({seen.refusal.code})"
        if seen.refusal is None and seen.subscription is not None:
            timestamp = seen.timestamp
            self._books.event(place, seen.subscription, seen.scoring_id, seen.rows, timestamp, again=again)
        elif seen.alone and seen.subscription is not None and not self.given_up(seen.envelope):
            self._books.alone(place, seen.subscription, seen.scoring_id, seen.timestamp, why)
        elif seen.refusal is not None:
            self._books.refused(place, why)

    def _note_reach(self, pair: Pair, records: Sequence[Envelope]) -> None:
        if len(records) == 1:
            offsets = pair.request.offset, pair.response.offset
            place = pair.claim.topic, pair.claim.partition
            low, high = self.reach.get(place, offsets)
            self.reach[place] = min(low, *offsets), max(high, *offsets)


def redrives(headers: Sequence[tuple[str, bytes | None]]) -> int:
    """How often a record was redriven, as it says itself; 1 where it does not say, but is a copy."""
    value = dict(headers).get(REDRIVES) or b""
    return int(value) if value.isdigit() and len(value) <= len("999999999") else 1
