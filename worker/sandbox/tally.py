"""What was received, apart from what is stored: a store that ignores repetition cannot tell of it.

An id is *received* in a post that was processed and answered so; it is *seen* in one that was processed while
a fault took the answer away, so that the sender cannot know and has to send again.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.sandbox.store import Batch, NewError, TableKey


@dataclass(slots=True)
class Received:
    """The scoring ids of one subscription, in the order in which they first came."""

    order: list[str] = field(default_factory=list)
    received: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    total: int = 0
    errors: int = 0

    @property
    def distinct(self) -> int:
        """How many different ids were received."""
        return len(self.received)

    @property
    def duplicates(self) -> int:
        """How often an id came that had been received before."""
        return self.received.total() - self.distinct

    def add(self, scoring_id: str, *, faulted: bool) -> None:
        """Count one record; one that is in error may have no id."""
        self.total += not faulted
        if not scoring_id:
            return
        if scoring_id not in self.received and scoring_id not in self.seen:
            self.order.append(scoring_id)
        (self.seen if faulted else self.received)[scoring_id] += 1

    def page(self, after: int, limit: int) -> list[tuple[str, int, int]]:
        """Ids behind the first `after`, each with how often it was received and how often only seen."""
        ids = islice(self.order, after, after + limit)
        return [(scoring_id, self.received[scoring_id], self.seen[scoring_id]) for scoring_id in ids]


class Tally:
    """Everything that was received since the sandbox started."""

    def __init__(self) -> None:
        self.tables: dict[TableKey, Received] = {}
        self.answers: Counter[int] = Counter()

    def answered(self, status: int) -> None:
        """Count the answer to one post; where a fault replaced it, this is the answer that was lost."""
        self.answers[status] += 1

    def received(self, batch: Batch, *, faulted: bool) -> None:
        """Count the records of one post that was processed."""
        for record in batch.records:
            self._table(record.table).add(record.scoring_id, faulted=faulted)
        for error in batch.errors:
            self._table(error.table).add(error.scoring_id, faulted=faulted)
            self._table(error.table).errors += 1

    def refused(self, errors: Sequence[NewError]) -> None:
        """Count what could not be processed of a post that was not stored for it."""
        for error in errors:
            self._table(error.table).errors += 1

    def _table(self, table: TableKey) -> Received:
        if table not in self.tables:
            self.tables[table] = Received()
        return self.tables[table]
