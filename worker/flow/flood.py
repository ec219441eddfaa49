"""The flood guard: too many records refused for one reason are no longer the records' fault, so everything stops."""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass

from worker.model import Disposition, Refusal


@dataclass(frozen=True, slots=True)
class Stop:
    """Why nothing is read or posted any more, for people and for other workers of the group.

    `code` is `disposition/code` of the refusals, `refused` of the last `of` records had it; `at` is an ISO time in
    UTC, empty as long as nobody has looked at a clock.
    """

    code: str
    refused: int
    of: int
    at: str = ""


@dataclass(frozen=True, slots=True)
class FloodPolicy:
    """A `share` of the last `records`, refused for one reason, is a flood; of unknown assets, of `unknown_assets`.

    The window is counted in records, not in time, so that a slow topic drains no more than a quick one.
    """

    share: float
    records: int
    unknown_assets: int


class FloodGuard:
    """Counts how the last records ended. `stop` is why all has stopped, None while it goes on.

    What the rooms refuse is held against what came to them, what the data mart refuses against what it took: in an
    outage nothing is taken, and the usual few bad records would look like all there is.
    """

    def __init__(self, policy: FloodPolicy) -> None:
        self._policy = policy
        self.stop: Stop | None = None
        self._begin()

    def _begin(self) -> None:
        self._rooms = _Window(self._policy.records)
        self._directory = _Window(self._policy.unknown_assets)
        self._mart = _Window(self._policy.records)

    def came(self, records: int) -> None:
        """Count records that have passed the rooms."""
        self._rooms.add(None, records)
        self._directory.add(None, records)

    def delivered(self, records: int) -> None:
        """Count records that the data mart took."""
        self._mart.add(None, records)

    def admits(self, refusal: Refusal, *, posted: bool) -> bool:
        """Count a refused record; whether it may be dead-lettered: not once it, or one before it, was too many.

        `posted`: it was the data mart that refused.
        """
        if self.stop is not None:
            return False
        code = f"{refusal.disposition}/{refusal.code}"
        window = self._window(refusal.disposition, posted=posted)
        window.add(code, 1)
        if not posted:  # to the other of the two windows it is a record like any other
            (self._rooms if window is self._directory else self._directory).add(None, 1)
        if window.count(code) >= math.ceil(round(self._policy.share * window.size, 6)):
            self.stop = Stop(code, window.count(code), window.total)
        return self.stop is None

    def _window(self, disposition: Disposition, *, posted: bool) -> _Window:
        if posted:
            return self._mart
        return self._directory if disposition is Disposition.UNKNOWN_ASSET else self._rooms

    def resume(self) -> None:
        """Go on, and begin to count anew."""
        self.stop = None
        self._begin()


class _Window:
    """The last `size` records as runs of equal ends, None for those that were delivered."""

    __slots__ = ("_counts", "_runs", "size", "total")

    def __init__(self, size: int) -> None:
        self.size = size
        self.total = 0
        self._runs: deque[tuple[str | None, int]] = deque()
        self._counts: Counter[str | None] = Counter()

    def count(self, code: str) -> int:
        return self._counts[code]

    def add(self, code: str | None, records: int) -> None:
        if records <= 0:
            return
        if self._runs and self._runs[-1][0] == code:
            self._runs[-1] = (code, self._runs[-1][1] + records)
        else:
            self._runs.append((code, records))
        self._counts[code] += records
        self.total += records
        self._trim()

    def _trim(self) -> None:
        while self.total > self.size:
            code, records = self._runs.popleft()
            kept = max(0, records - (self.total - self.size))
            if kept:
                self._runs.appendleft((code, kept))
            self._counts[code] -= records - kept
            self.total -= records - kept
