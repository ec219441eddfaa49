"""A batch of rows on its way, and the lane that rows wait in until they are one."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from worker.flow.breaker import Breaker
    from worker.flow.turns import Turn
    from worker.model import Claim, Row


@dataclass(frozen=True, slots=True)
class BatchPolicy:
    """When a lane closes: by `records`, by `size` in bytes of JSON, or `linger` seconds after its first row."""

    records: int
    size: int
    linger: float


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Batch:
    """Rows that are posted together, and what became of them so far.

    `attempts` counts posts of this very batch; `contradicted` counts its failures while others in its lane passed,
    which is what makes a failure the batch's own; `elsewhere` those while others passed in other lanes; `reason` is
    the last answer's; `due` is the time before which it is not posted again.
    """

    rows: Sequence[Row]
    attempts: int = 0
    contradicted: int = 0
    elsewhere: int = 0
    reason: str | None = None
    due: float = 0.0
    last_failed: float | None = None
    refreshed: bool = False
    unseen: bool = False

    def halves(self, now: float) -> tuple[Batch, Batch]:
        """Two batches of the same rows, due now: cut between two subscriptions if there are several."""
        rows = sorted(self.rows, key=_subscription) if self.mixed else self.rows
        middle = _cut(rows)
        return self._part(rows[:middle], now), self._part(rows[middle:], now)

    def only(self, rows: Sequence[Row]) -> Batch:
        """The same with these of its rows. A single one begins anew: it is blamed for failures of its own alone."""
        if len(rows) == len(self.rows):
            return self
        if len(rows) == 1:
            return replace(self, rows=rows, contradicted=0, elsewhere=0)
        return replace(self, rows=rows)

    def _part(self, rows: Sequence[Row], now: float) -> Batch:
        return replace(self.only(rows), due=now, refreshed=False)

    @property
    def size(self) -> int:
        """Bytes of JSON in the posted array, without its brackets and commas."""
        return _bytes(self.rows)

    @property
    def mixed(self) -> bool:
        """Whether the rows are of more than one subscription."""
        first = self.rows[0].subscription_id
        return any(row.subscription_id != first for row in self.rows)


_payload, _subscription = attrgetter("payload"), attrgetter("subscription_id")


def _bytes(rows: Iterable[Row]) -> int:
    return sum(map(len, map(_payload, rows)))


def _cut(rows: Sequence[Row]) -> int:
    """The place nearest to the middle at which the subscription changes, else the middle; rows are sorted."""
    middle = len(rows) // 2
    changes = [i for i in range(1, len(rows)) if rows[i].subscription_id != rows[i - 1].subscription_id]
    return min(changes, key=lambda place: abs(place - middle), default=middle)


class Lane:
    """Rows that wait to be posted together, and batches that wait to be posted again."""

    __slots__ = (
        "_opened",
        "_size",
        "accept_started",
        "breaker",
        "failing",
        "followed",
        "in_flight",
        "key",
        "probed_again",
        "ready",
        "rows",
        "turn",
        "wakes_at",
    )

    def __init__(self, key: str, breaker: Breaker) -> None:
        self.key = key
        self.breaker = breaker
        self.rows: deque[Row] = deque()
        self.ready: deque[Batch] = deque()
        self.in_flight = 0
        self.followed = 0
        """Batches that were taken and are not stored yet."""
        self.probed_again = False
        """Whether the last probe was of a batch that had failed before."""
        self.failing = 0.0
        """The share of first tries that failed lately: what chance alone does to a record."""
        self.accept_started = -1.0
        """When the latest accepted post of this lane had started."""
        self.turn: Turn | None = None
        """Its place among the lanes that are due (`turns`)."""
        self.wakes_at = math.inf
        """When it will be due; not while it is."""
        self._opened = 0.0
        self._size = 0

    def add(self, rows: Collection[Row], now: float) -> None:
        """Let rows wait in this lane."""
        if not self.rows:
            self._opened = now
        self.rows.extend(rows)
        self._size += _bytes(rows)

    @property
    def empty(self) -> bool:
        """Whether nothing waits here, is in flight or is followed from here."""
        return not (self.rows or self.ready or self.in_flight or self.followed)

    def closes_at(self, policy: BatchPolicy) -> float | None:
        """When the waiting rows become a batch if nothing more comes; 0.0: now; None: there are none."""
        if not self.rows:
            return None
        return 0.0 if self.full(policy) else self._opened + policy.linger

    def full(self, policy: BatchPolicy) -> bool:
        """Whether the waiting rows are as many as one batch may have."""
        return len(self.rows) >= policy.records or self._size >= policy.size

    def due_at(self, policy: BatchPolicy, now: float) -> float:
        """When the first of all that waits here is due, or any time up to `now`; infinite: nothing waits."""
        closes = self.closes_at(policy)
        first = math.inf if closes is None else closes
        for batch in self.ready:
            if first <= now:
                break
            first = min(first, batch.due)
        return first

    def take(self, policy: BatchPolicy) -> Batch:
        """Close a batch of the oldest waiting rows: at least one, at most what `policy` allows."""
        if len(self.rows) <= policy.records and self._size <= policy.size:
            return Batch(self.take_all())
        taken: list[Row] = []
        size = 0
        while self.rows and len(taken) < policy.records:
            size += len(self.rows[0].payload)
            if taken and size > policy.size:
                break
            taken.append(self.rows.popleft())
        self._size -= _bytes(taken)
        return Batch(taken)

    def take_all(self) -> list[Row]:
        """Remove and return the waiting rows."""
        taken = list(self.rows)
        self.rows.clear()
        self._size = 0
        return taken

    def waiting(self) -> Iterator[Row]:
        """The rows that wait here, of new batches and of those that have failed."""
        yield from self.rows
        for batch in self.ready:
            yield from batch.rows

    def next_ready(self, now: float) -> Batch | None:
        """Remove and return the first batch in turn that is due."""
        for batch in self.ready:
            if batch.due <= now:
                self.ready.remove(batch)
                return batch
        return None

    def drop(self, gone: Collection[Claim]) -> list[Row]:
        """Forget rows of claims in `gone` that are not in flight; return them."""
        dropped = [row for row in self.rows if row.envelope.claim in gone]
        self.rows = deque(row for row in self.rows if row.envelope.claim not in gone)
        self._size = _bytes(self.rows)
        kept: deque[Batch] = deque()
        for batch in self.ready:
            rows = [row for row in batch.rows if row.envelope.claim not in gone]
            dropped += [row for row in batch.rows if row.envelope.claim in gone]
            if rows:
                kept.append(batch.only(rows))
        self.ready = kept
        return dropped
