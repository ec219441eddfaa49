"""How many posts may be in flight: as many as bring something, found by trying, within a budget.

More posts at once help while the endpoint answers them as fast as fewer; from some number on they only wait there for
each other. So the round trip is measured at one limit and then at another, and the one is kept whose round trip is
shorter for what it carries. Only neighbours are compared, so that no idea of a good round trip has to be kept and grow
old; only posts of about one size, as a large one takes longer; and only while posts wait for the limit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from worker.flow.verdict import Answer, Verdict

START: Final = 6
"""The limit before anything is known."""

WORTH: Final = 0.6
"""The best limit has the least round trip divided by this power of it: 1 would be all for the rate, 0 for latency."""

ERROR: Final = 0.03
"""How well a round trip is known before another limit is tried: the error of its mean, as a share."""

SURE: Final = 4.0
"""Standard errors by which a trial must differ from the verge to be over before it has `MOST` posts."""

LEAST: Final = 8
MOST: Final = 250
"""Posts that are measured at a limit, at least and at most."""

CUT: Final = 0.7
"""What remains of the limit where the endpoint asks for less, or does not answer in time."""

RESTS: Final = (4, 32)
"""Once neither more nor fewer are better: how many times as long as the trials took the next ones are put off."""

LONGEST: Final = 30.0
"""Seconds for which they are put off at most."""

NEWS: Final = 0.25
"""A change of the round trip, as a logarithm, at which they are put off no longer."""

CEILINGS: Final = (5.0, 300.0)
"""Seconds for which nothing above a limit that was throttled is tried: at first, and at most."""

STALE: Final = 30.0
"""Seconds after which a measurement that has not ended, because nothing waited for the limit, begins anew."""


LATE: Final = frozenset({"timeout", "connect-timeout", "gateway"})
"""Reasons of answers that did not come in time, here or at a gateway."""


class Load(Enum):
    """What an answer says about the number of posts in flight."""

    CARRIED = auto()
    TOO_MUCH = auto()
    """The endpoint asks for less."""
    LATE = auto()
    """No answer in time: it may have been too much."""
    UNKNOWN = auto()


def load(answer: Answer) -> Load:
    """What an answer says about the load. Most failures say nothing: one bad record must not slow down all others."""
    if answer.verdict in (Verdict.ACCEPTED, Verdict.FOLLOW):
        return Load.CARRIED
    if answer.verdict is Verdict.THROTTLE or (answer.verdict is Verdict.RETRY and answer.retry_after):
        return Load.TOO_MUCH
    return Load.LATE if answer.reason in LATE else Load.UNKNOWN


@dataclass(slots=True)
class _Sizes:
    """Posts of about one size: how many, the mean of their round trips' logarithms, and its squared deviations."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> None:
        self.count += 1
        off = value - self.mean
        self.mean += off / self.count
        self.squares += off * (value - self.mean)


@dataclass(slots=True)
class Window:
    """Round trips at one limit, of posts that started since `began`."""

    began: float
    count: int = 0
    _sizes: dict[int, _Sizes] = field(default_factory=dict)

    def add(self, size: int, seconds: float) -> None:
        """Take in a post of `size` bytes."""
        self.count += 1
        self._sizes.setdefault(size.bit_length(), _Sizes()).add(math.log(max(seconds, 1e-6)))

    def error(self) -> float:
        """The standard error of the mean, as a share of the round trip."""
        free = self.count - len(self._sizes)
        return math.sqrt(sum(each.squares for each in self._sizes.values()) / free / self.count) if free else math.inf

    def growth(self, before: Window) -> float | None:
        """The logarithm of how much longer posts take than `before`, size by size; None: no size is in both."""
        total = weights = 0.0
        for size in self._sizes.keys() & before._sizes.keys():
            now, then = self._sizes[size], before._sizes[size]
            weight = now.count * then.count / (now.count + then.count)
            total += weight * (now.mean - then.mean)
            weights += weight
        return total / weights if weights else None


class Limiter:
    """`limit`: posts that may be in flight now, from 1 to `budget`.

    `wanted`: whether posts wait for the limit, to be told each time that some were started: with less to do than the
    limit allows nothing can be learnt, and the limit stays.
    """

    def __init__(self, budget: int) -> None:
        self.limit = min(START, budget)
        self.wanted = False
        self._budget = budget
        self._base = self.limit  # the best so far; `limit` is another only while that is tried
        self._measured: Window | None = None  # at the base
        self._window = Window(-math.inf)
        self._up = True
        self._step = self.limit
        self._fruitless = 0
        self._rest = RESTS[0]
        self._trying_since = -math.inf  # ahead of now: a rest
        self._cut_at = -math.inf
        self._ceiling = budget
        self._ceiling_until = -math.inf
        self._ceiling_for = CEILINGS[0]

    def settle(self, found: Load, *, started: float, size: int, in_flight: int, now: float) -> None:
        """A post of `size` bytes has ended; `in_flight`: posts until now, with this one."""
        if found in (Load.TOO_MUCH, Load.LATE):
            if started > self._cut_at:  # once a round trip: what started before does not know of the last cut
                self._cut(min(self.limit, in_flight), now, throttled=found is Load.TOO_MUCH)
        elif found is Load.CARRIED and self.wanted:
            if now - self._window.began > max(STALE, 20 * (now - started)):
                self._trying_since = now
                self._measure_anew(now)
            elif started >= self._window.began:
                self._window.add(size, now - started)
                if self._window.count >= self.limit and self._window.count % LEAST == 0:
                    self._look(now)

    def _cut(self, used: int, now: float, *, throttled: bool) -> None:
        if throttled:
            self._ceiling = max(1, used - 1)
            self._ceiling_until = now + self._ceiling_for
            self._ceiling_for = min(2 * self._ceiling_for, CEILINGS[1])
        self._cut_at = self._trying_since = now
        self._base = max(1, int(used * CUT))
        self._step = used - self._base
        self._up, self._fruitless = True, 0
        self._measure_anew(now)

    def _measure_anew(self, now: float) -> None:
        self._measured = None
        self._begin(self._base, now)

    def _begin(self, limit: int, now: float) -> None:
        self.limit = limit
        self._window = Window(now)

    def _look(self, now: float) -> None:
        """Go on as soon as the posts so far tell enough."""
        if self.limit == self._base or self._measured is None:
            if self._window.count >= MOST or self._window.error() <= ERROR:
                if self._measured is not None and abs(self._window.growth(self._measured) or 0) > NEWS:
                    self._trying_since = min(now, self._trying_since)
                self._measured = self._window
                self._go_on(now)
            return
        growth = self._window.growth(self._measured)
        if growth is None:
            self._measure_anew(now)
            return
        better = WORTH * math.log(self.limit / self._base) - growth
        error = self._window.error()
        clear = abs(better) > SURE * math.hypot(error, self._measured.error())
        if self._window.count >= MOST or error <= ERROR or clear:
            if better > 0:
                self._keep()
            else:
                self._turn_back()
            self._go_on(now)

    def _keep(self) -> None:
        self._step = 2 * abs(self.limit - self._base)
        self._base, self._measured = self.limit, self._window
        self._fruitless, self._rest = 0, RESTS[0]
        if self._base > self._ceiling:
            self._ceiling_for = CEILINGS[0]

    def _turn_back(self) -> None:
        self._up = not self._up
        self._step //= 2
        self._fruitless += 1

    def _go_on(self, now: float) -> None:
        """Try the next limit; where the nearest, up and down, are no better, only look at this one for a while."""
        if now < self._trying_since:
            self._begin(self._base, now)
            return
        if self._target(now) == self._base:
            self._turn_back()
        if self._fruitless > 1 and self._step <= self._finest:
            self._up, self._fruitless = True, 0
            self._trying_since = now + min(self._rest * (now - self._trying_since), LONGEST)
            self._rest = min(2 * self._rest, RESTS[1])
            self._begin(self._base, now)
        else:
            self._begin(self._target(now), now)

    @property
    def _finest(self) -> int:
        """The least step whose effect can be seen."""
        return max(1, self._base // 8)

    def _target(self, now: float) -> int:
        step = max(self._step, self._finest)
        if self._up:
            highest = self._budget if now >= self._ceiling_until else min(self._ceiling, self._budget)
            return max(self._base, min(self._base + step, highest))
        return max(1, self._base - min(step, max(1, self._base // 4)))
