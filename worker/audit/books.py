"""The books of an audit: what was produced, what lies in the dead-letter topic, what the data mart holds.

Rows are compared by 64-bit hashes of subscription and scoring id: that an event which is missing has the hash of one of
ten million that are not happens once in about two million million such events.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from worker.audit.buckets import COUNT, Buckets
from worker.audit.fates import GAPS, Fate, Found
from worker.audit.partitions import Mark, Partition, Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from worker.topics.spans import Span

EVENT = "<QHHq"
"""A produced event on disk: the hash of its id, its rows, its partition's place among the spans, its offset.

The second record of one scoring has the offset's complement: it is no event of its own that has the same id.
"""

ROW = "<QH"
"""A row of the data mart: the hash of its event's id, and its number."""

MOST_ROWS = 0xFFFF
_MOST_REASONS = 254
_FEW = 100_000
"""So many events are looked for in the data mart by a set in memory."""


class Books:
    """Letters and events go in, then rows, then fates come out. To be closed.

    A record that was redriven counts for the place that it first had, and for no other.
    """

    def __init__(self, spans: Sequence[Span], committed: Mapping[tuple[str, int], int]) -> None:
        """Raises `OSError` where no temporary file can be made; so may every method where it cannot be written."""
        self._partitions = [Partition(each, committed.get((each.topic, each.partition))) for each in spans]
        self._at = {(each.topic, each.partition): number for number, each in enumerate(spans)}
        self._words: dict[str, int] = {}
        self._events = Buckets(EVENT)
        self._wanted: set[int] | None = None
        self.rows = Buckets(ROW)
        self.windows: dict[str, Window] = {}
        self.duplicates = 0
        self.copies = 0
        self.pairs = 0
        self.rows_held = 0
        self._compared = False

    def close(self) -> None:
        """Let the temporary files go."""
        for each in (self._events, self.rows):
            each.__exit__()

    # --- what goes in -------------------------------------------------------------------------------------------

    def letter(self, place: tuple[str, int, int], redrives: int, why: str) -> None:
        """A dead letter whose record was at `place` first, and had been redriven so often."""
        found = self._partition(place)
        if found is not None:
            found.reasons[place[2]] = self._word(why)
            found.letters[place[2]] = max(found.letters[place[2]], min(redrives, 254) + 1)

    def copy(self, at: tuple[str, int, int], place: tuple[str, int, int], redrives: int) -> bool:
        """A redriven record at `at` that was at `place` first; whether that one is audited."""
        self.copies += 1
        found = self._partition(place)
        if found is None:
            return False
        found.copies[place[2]] = max(found.copies[place[2]], min(max(redrives, 1), 254))
        if self._partitions[self._at[at[:2]]].is_open(at[2]):
            found.open_copies[place[2]] = found.copies[place[2]]
        return True

    def refused(self, place: tuple[str, int, int], why: str) -> None:
        """An event that no row can be made of."""
        found = self._partition(place)
        if found is not None and found.marks[place[2]] != Mark.WAITING:
            found.marks[place[2]] = Mark.REFUSED
            found.refusals[place[2]] = self._word(why)

    def event(
        self,
        place: tuple[str, int, int],
        subscription: str,
        scoring_id: str,
        rows: int,
        timestamp: str | None,
        *,
        again: bool = False,
    ) -> None:
        """An event with the rows that are to be made of it; `again`: another record of the event before."""
        number = self._at.get(place[:2])
        if number is None or self._partition(place) is None:
            return
        self._partitions[number].marks[place[2]] = Mark.WAITING
        offset = ~place[2] if again else place[2]
        self._events.add(hashed(subscription, scoring_id), min(rows, MOST_ROWS), number, offset)
        self.pairs += again
        if not again:
            self._widen(subscription, timestamp)

    def alone(
        self, place: tuple[str, int, int], subscription: str, scoring_id: str, timestamp: str | None, why: str
    ) -> None:
        """Half of a scoring whose other half was not found, and is in no dead letter."""
        self.refused(place, why)
        found = self._partition(place)
        if found is not None and found.marks[place[2]] == Mark.REFUSED:
            found.marks[place[2]] = Mark.ALONE
            self._events.add(hashed(subscription, scoring_id), 1, self._at[place[:2]], ~place[2])
            self._widen(subscription, timestamp)

    def settle(self, place: tuple[str, int, int]) -> None:
        """A record that the group has settled though its offset is not committed: as its other half is."""
        found = self._partition(place)
        if found is not None:
            found.settled[place[2]] = 1

    def _widen(self, subscription: str, timestamp: str | None) -> None:
        window = self.windows.get(subscription)
        if window is None:
            window = self.windows[subscription] = Window()
        window.widen(timestamp)

    def row(self, subscription: str, row_id: str) -> None:
        """A row that the data mart holds, by its own id: `<scoring_id>-<n>` (contract §5.2)."""
        scoring_id, _, number = row_id.rpartition("-")
        if not number.isdecimal() or not 0 < int(number) <= MOST_ROWS:
            return
        key = hashed(subscription, scoring_id)
        if self._wanted is None or key in self._wanted:
            self.rows.add(key, int(number))

    # --- what is known of a place ---------------------------------------------------------------------------------

    def covers(self, place: tuple[str, int, int]) -> bool:
        """Whether a place is audited."""
        return self._partition(place) is not None

    def is_open(self, place: tuple[str, int, int]) -> bool:
        """Whether the group has not settled the offset of a partition that is audited, be it within the span or not."""
        return self._partitions[self._at[place[:2]]].is_open(place[2])

    def given_up(self, place: tuple[str, int, int], redrives: int) -> bool:
        """Whether a record that was first at `place` is dead-lettered after so many redrives, or more."""
        found = self._partition(place)
        return found is not None and found.letters[place[2]] > redrives

    # --- comparing ----------------------------------------------------------------------------------------------

    def compare(self) -> int:
        """Cross off what is in `rows`, and forget these; how many acknowledged events are not held in full."""
        left, missing = Buckets(EVENT), 0
        wanted: set[int] | None = set()
        for number in range(COUNT):
            held = {key << 16 | n for key, n in self.rows.bucket(number)}
            seen: dict[int, tuple[int, int]] = {}
            for key, rows, place, told in self._events.bucket(number):
                offset = max(told, ~told)
                again = key in seen
                own = seen.setdefault(key, (place, offset)) == (place, offset)
                self.duplicates += told >= 0 and not (own or self._compared)
                count = sum(key << 16 | n in held for n in range(1, rows + 1))
                if self._cross(self._partitions[place], offset, count, rows):
                    self.rows_held += 0 if again else count
                    continue
                left.add(key, rows, place, told)
                missing += self._fate(self._partitions[place], offset)[0] in GAPS
                if wanted is not None:
                    wanted.add(key)
                    wanted = wanted if len(wanted) <= _FEW else None
        self.close()
        self._events, self.rows, self._wanted, self._compared = left, Buckets(ROW), wanted, True
        return missing

    @staticmethod
    def _cross(partition: Partition, offset: int, count: int, rows: int) -> bool:
        """Note what of an event is held; whether all is."""
        if count >= rows:
            partition.marks[offset] = Mark.STORED
        elif count:
            partition.marks[offset] = Mark.IN_PART
        return count >= rows

    # --- what comes out -----------------------------------------------------------------------------------------

    def fates(self) -> Iterator[tuple[Span, Iterator[Found]]]:
        """Of each span the fates of its events, in order."""
        for each in self._partitions:
            yield each.span, (Found(offset, *self._fate(each, offset)) for offset, _ in each.marks)

    def _fate(self, partition: Partition, offset: int) -> tuple[Fate, str]:
        mark = partition.marks[offset]
        letters, copies = partition.letters[offset], partition.copies[offset]
        again = copies >= letters and copies > 0  # the n-th copy's own letter would be the letter n + 1
        if mark == Mark.STORED and not (partition.is_open(offset) and not letters and not again):
            return Fate.HELD, ""
        if letters and not again:
            return Fate.DEAD_LETTERED, self._said(partition.reasons[offset])
        if again and partition.open_copies[offset] == copies:
            return Fate.OPEN, "redriven"
        if not again and partition.is_open(offset):
            return (Fate.UNREAD if partition.committed is None else Fate.OPEN), ""
        if mark in (Mark.REFUSED, Mark.ALONE):
            return Fate.NO_LETTER, self._said(partition.refusals[offset])
        return (Fate.IN_PART if mark == Mark.IN_PART else Fate.MISSING), "redriven" if again else ""

    # --- how ----------------------------------------------------------------------------------------------------

    def _partition(self, place: tuple[str, int, int]) -> Partition | None:
        """The partition of a place within the spans."""
        number = self._at.get(place[:2])
        if number is None:
            return None
        found = self._partitions[number]
        return found if found.span.begin <= place[2] < found.span.end else None

    def _word(self, why: str) -> int:
        """A number for a reason; beyond so many different ones all share the last."""
        if why not in self._words:
            if len(self._words) >= _MOST_REASONS:
                return _MOST_REASONS + 1
            self._words[why] = len(self._words) + 1
        return self._words[why]

    def _said(self, number: int) -> str:
        words = list(self._words)
        return words[number - 1] if 0 < number <= len(words) else "other reasons"


def hashed(subscription: str, scoring_id: str) -> int:
    """64 bits of what names an event in the data mart."""
    return int.from_bytes(blake2b(f"{subscription}\0{scoring_id}".encode(), digest_size=8).digest(), "big")
