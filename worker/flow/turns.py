"""Which lane posts next, however many there are: only those that have something due are ever looked at.

Whoever lets something wait in a lane says when that is due. Due lanes take turns: those with fewest posts in flight
first, so that one whose posts take long does not get all of them; then the one that has waited longest.
"""

from __future__ import annotations

import math
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.flow.batch import Lane

Turn = tuple[int, float, int]
"""Posts in flight, since when it is due, and a number that no other has."""


class Turns:
    """Two heaps: of lanes by the time at which they will be due, and of due lanes by turn.

    An entry is good only while its lane names it: a lane moves by an entry more, and old ones are passed over.
    """

    def __init__(self) -> None:
        self._numbers = count()
        self._later: list[tuple[float, int, Lane]] = []
        self._due: list[tuple[Turn, Lane]] = []

    def wake(self, lane: Lane, at: float) -> None:
        """Something in this lane is due at `at`, maybe before what was known."""
        if lane.turn is None and at < lane.wakes_at:
            lane.wakes_at = at
            heappush(self._later, (at, next(self._numbers), lane))

    def next(self, now: float) -> tuple[Lane, float] | None:
        """Take out the lane whose turn it is, due since then; what is left in it must be told again."""
        if not self.waits(now):
            return None
        turn, lane = heappop(self._due)
        lane.turn = None
        return lane, turn[1]

    def waits(self, now: float) -> bool:
        """Whether a lane is due."""
        while self._later and self._later[0][0] <= now:
            at, _, lane = heappop(self._later)
            if lane.wakes_at == at:
                self.enter(lane, at)
        while self._due and self._due[0][1].turn != self._due[0][0]:
            heappop(self._due)
        return bool(self._due)

    def enter(self, lane: Lane, since: float) -> None:
        """A lane is due since then."""
        lane.wakes_at = math.inf
        lane.turn = (lane.in_flight, since, next(self._numbers))
        heappush(self._due, (lane.turn, lane))

    def move(self, lane: Lane) -> None:
        """A lane has another number of posts in flight."""
        if lane.turn is not None:
            self.enter(lane, lane.turn[1])
