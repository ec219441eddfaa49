"""One audit from its beginning to its end: committed offsets, dead letters, events, and then the data mart's rows.

In this order, so that whatever happens meanwhile is no false alarm: a letter is written before its offset is committed,
and rows are stored before theirs is, or some seconds later.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.audit.books import Books
from worker.audit.entering import Entries
from worker.audit.fates import Fate, folded
from worker.audit.held import Table, moment
from worker.audit.letters import letter_topics
from worker.audit.pairing import Pairing, rings
from worker.audit.walking import Walker
from worker.dlq.headers import read as told_by
from worker.edges.envelopes import headers_of
from worker.topics.reading import TopicReader
from worker.topics.spans import Bounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rich.progress import Progress

    from worker.audit.fates import Range
    from worker.config import Settings
    from worker.dlq.headers import Told
    from worker.mart.client import MartClient
    from worker.topics.spans import Span

LOOK_SECONDS = 2.0
"""Between two looks at the data mart, while events are missing that may be on their way."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What to audit: `wait` seconds are given to rows that are not stored yet."""

    topics: tuple[str, ...]
    bounds: Bounds
    subscription: str | None
    wait: float


@dataclass(slots=True)
class Counts:
    """Of records, by what became of them; `aside`: other subscriptions', or of none while one was asked for.

    `placeless` dead letters do not tell where their record was; those `before` tell of a topic that was deleted, and
    made anew with the same name.
    """

    fates: dict[Fate, int]
    rows: dict[str, int]
    books: Books
    aside: int
    placeless: int
    before: int

    @property
    def produced(self) -> int:
        """All of them."""
        return sum(self.fates.values())


class Audit:
    """To be closed. Whatever is asked for raises as its own parts do.

    Raises:
        ClusterError, MartError, TokenError, RegistryError, SchemaDirectoryError: something is not to be had.
        OSError: no room for temporary files.
    """

    def __init__(self, settings: Settings, mart: MartClient, asked: Asked, progress: Progress) -> None:
        self._settings = settings
        self._mart = mart
        self._asked = asked
        self._progress = progress
        self._placeless = self._before = 0
        self._walker = Walker(settings, mart)
        self.unknown = asked.subscription is not None and self._walker.subscription(asked.subscription) is None
        self._books: Books | None = None
        self.spans: list[Span] = []
        self.reach: Mapping[tuple[str, int], tuple[int, int]] = {}

    def close(self) -> None:
        """Close what is open."""
        self._walker.close()
        if self._books is not None:
            self._books.close()

    def run(self, sleep: Callable[[float], None] = time.sleep, clock: Callable[[], float] = time.monotonic) -> Counts:
        """Read all, compare all."""
        with TopicReader(self._settings.kafka) as reader:
            spans = reader.find(self._asked.topics, self._asked.bounds)
            self.spans = [each for each in spans if each.count]
            self._books = Books(self.spans, reader.committed(self.spans) if self.spans else {})
            if self.spans:
                self._read_letters(reader, letter_topics(self._settings, self._asked.topics))
            entries = Entries(self._books, self._asked.subscription)
            self._read_events(reader, entries)
        rows = self._look_until_there(sleep, clock)
        counted = dict.fromkeys(Fate, 0)
        for each in self._ranges():
            counted[each.fate] += each.count
        self.reach = entries.reach
        return Counts(counted, rows, self._books, entries.aside, self._placeless, self._before)

    def not_held(self) -> Iterator[Range]:
        """The events that the data mart does not hold, or need not yet; ranges of one fate and reason."""
        return (each for each in self._ranges() if each.fate is not Fate.HELD)

    def _ranges(self) -> Iterator[Range]:
        for span, found in self._the_books.fates():
            yield from folded(span.topic, span.partition, found)

    @property
    def _the_books(self) -> Books:
        if self._books is None:
            raise RuntimeError("the audit was not run")
        return self._books

    # --- Kafka --------------------------------------------------------------------------------------------------

    def _read_letters(self, reader: TopicReader, topics: Mapping[str, bool]) -> None:
        """All that there are: a letter has its record's timestamp, which need not grow with its offset."""
        spans = reader.find(list(topics), Bounds())
        task = self._progress.add_task("dead letters", total=sum(each.count for each in spans))
        for chunk in reader.read(spans):
            for message in chunk:
                told = told_by(headers_of(message) or ())
                if told is None or told.place is None:
                    self._placeless += not topics[str(message.topic())]  # one that is parked was counted as a letter
                elif told.of_another(self._walker.topic_ids):
                    self._before += not topics[str(message.topic())]
                elif ours(told, self._settings.kafka.group_id):
                    self._the_books.letter(told.place, told.redrives, why(told))
            self._progress.advance(task, len(chunk))

    def _read_events(self, reader: TopicReader, entries: Entries) -> None:
        limits = self._settings.limits
        pairing = Pairing(entries.given_up, max(1, limits.records // 4), limits.bytes // 4)
        task = self._progress.add_task("events", total=sum(each.count for each in self.spans))
        for chunk in reader.read(self.spans):
            for seen in self._walker.see(chunk, pairing):
                entries.enter(seen)
            self._progress.advance(task, len(chunk))
        self._look_around(reader, entries, pairing)
        for left in pairing.rest():
            entries.enter(self._walker.alone(left))

    def _look_around(self, reader: TopicReader, entries: Entries, pairing: Pairing) -> None:
        """Look outside of the spans for the other halves of what would be gaps without them."""
        lacking = _lacking(entries, pairing)
        spans = [each for each in self.spans if (each.topic, each.partition) in lacking]
        found = reader.find(sorted({each.topic for each in spans}), Bounds()) if spans else []
        logs = {(each.topic, each.partition): each for each in found}
        for ring in rings(spans, logs):
            lacking = _lacking(entries, pairing)
            wanted = [each for each in ring if (each.topic, each.partition) in lacking]
            task = self._progress.add_task("other halves", total=sum(each.count for each in wanted))
            for chunk in reader.read(wanted):
                for seen in self._walker.see_others(chunk, pairing):
                    entries.enter(seen)
                self._progress.advance(task, len(chunk))

    # --- the data mart ------------------------------------------------------------------------------------------

    def _look_until_there(self, sleep: Callable[[float], None], clock: Callable[[], float]) -> dict[str, int]:
        """Look where the rows must be, again while some may be on their way, and at last everywhere; rows in all."""
        until = clock() + self._asked.wait
        known = [self._walker.subscription(own) for own in self._the_books.windows]
        tables = {each.id: Table(self._mart, each) for each in known if each is not None}
        totals = {own: table.total() for own, table in tables.items()}
        missing, looks = self._look(tables, totals), 1
        while missing and clock() < until:
            sleep(min(LOOK_SECONDS, max(0.0, until - clock())))
            missing, looks = self._look(tables, totals), looks + 1
        if missing:
            self._look(tables, totals, everywhere=True)
        return {own: table.total() for own, table in tables.items()}

    def _look(self, tables: dict[str, Table], totals: dict[str, int], *, everywhere: bool = False) -> int:
        """Once through the tables; the acknowledged events that are not there."""
        task = self._progress.add_task("rows", total=sum(totals.values()))
        for own, table in tables.items():
            window = self._the_books.windows[own]
            bounded = not (everywhere or window.timeless)
            earliest, latest = (moment(each) if bounded else None for each in (window.earliest, window.latest))
            for page in table.window(earliest, latest):
                for each in page.ids:
                    self._the_books.row(own, each)
                self._progress.advance(task, len(page.ids))
        self._progress.update(task, completed=sum(totals.values()))
        return self._the_books.compare()


def ours(told: Told, group: str) -> bool:
    """Not another group's letter in a topic that both write: it says nothing of what became of the record here."""
    return not told.own or told.group in (None, group)


def why(told: Told) -> str:
    """A dead letter's reason in short; never its detail, which may be anybody's text."""
    return f"{told.disposition or 'unknown'} ({told.code})" if told.code else told.disposition or "reason unknown"


def _lacking(entries: Entries, pairing: Pairing) -> set[tuple[str, int]]:
    """The partitions of halves that wait, and would be gaps."""
    return {(each.claim.topic, each.claim.partition) for each in pairing.held() if entries.lacks(each)}
