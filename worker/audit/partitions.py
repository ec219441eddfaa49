"""What the books of an audit know of each partition, offset by offset, and of each subscription."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from worker.audit.marks import Marks

if TYPE_CHECKING:
    from worker.topics.spans import Span


class Mark(IntEnum):
    """What is known of an offset; an offset that has none was in no record, or counts for another one's place.

    ALONE is half of a scoring whose other half is not there: a row of its id says that this was delivered.
    """

    WAITING = 1
    STORED = 2
    IN_PART = 3
    REFUSED = 4
    ALONE = 5


@dataclass(slots=True)
class Partition:
    """A span, the group's committed offset (None: it has none), and marks by the place where a record was first.

    `letters` has one more than the redrives of the last letter, `copies` those of the last copy, `open_copies` the same
    of one that is open itself; `reasons` and `refusals` are numbers of words; `settled` are not open for their offset.
    """

    span: Span
    committed: int | None
    marks: Marks = field(default_factory=Marks)
    reasons: Marks = field(default_factory=Marks)
    refusals: Marks = field(default_factory=Marks)
    letters: Marks = field(default_factory=Marks)
    copies: Marks = field(default_factory=Marks)
    open_copies: Marks = field(default_factory=Marks)
    settled: Marks = field(default_factory=Marks)

    def is_open(self, offset: int) -> bool:
        """Whether the group has not settled it."""
        return self.committed is None or (offset >= self.committed and not self.settled[offset])


@dataclass(slots=True)
class Window:
    """Of one subscription: how many events were produced, and their scoring timestamps as texts, earliest and last.

    `timeless`: one has none, so that the data mart's clock gave it one.
    """

    events: int = 0
    earliest: str = ""
    latest: str = ""
    timeless: bool = False

    def widen(self, timestamp: str | None) -> None:
        """Take an event in."""
        self.events += 1
        if timestamp is None:
            self.timeless = True
        else:
            self.earliest = min(self.earliest or timestamp, timestamp)
            self.latest = max(self.latest, timestamp)
