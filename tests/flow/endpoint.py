"""A simulated endpoint and somebody who always has more to post: what a limit of posts in flight is worth."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Protocol

from worker.flow.concurrency import Load

if TYPE_CHECKING:
    from collections.abc import Callable

    Endpoint = Callable[[int], float | None]
    """Seconds that a post takes which starts as one of so many; None: it is refused with 429."""

SIZE = 400_000
"""Bytes of a post, unless sizes are mixed."""


def steady(seconds: float) -> Endpoint:
    """Takes as many as come."""
    return lambda _: seconds


def shared(seconds: float, best: int, power: float = 1) -> Endpoint:
    """Slower with each post beyond `best`: with power 1 the rate stays, with more it falls."""
    return lambda posts: seconds * max(1.0, posts / best) ** power


def throttling(seconds: float, most: int) -> Endpoint:
    """Answers 429 to posts beyond `most`."""
    return lambda posts: seconds if posts <= most else None


class Limit(Protocol):
    """What decides how many posts may be in flight."""

    limit: int
    wanted: bool

    def settle(self, found: Load, *, started: float, size: int, in_flight: int, now: float) -> None: ...


class Fixed:
    """A limit that stays."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.wanted = False

    def settle(self, found: Load, *, started: float, size: int, in_flight: int, now: float) -> None:
        """Nothing is learnt."""


@dataclass
class Simulation:
    """Posts as many as `limit` allows; a 429 stops all posts for up to a quarter of a second, as in the flow.

    `scatter`: of the round trips' logarithms. `rate`: posts a second that come; None: more than can be posted.
    `mixed`: sizes differ a hundredfold, and the round trip goes with the size.
    """

    endpoint: Endpoint
    limit: Limit
    seed: int = 0
    scatter: float = 0.0
    rate: float | None = None
    mixed: bool = False
    now: float = 0.0
    carried: float = 0.0
    refused: int = 0
    _posts: list[tuple[float, int, float, int, bool]] = field(default_factory=list)
    _sent: int = 0
    _held_until: float = 0.0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)  # noqa: S311 - a seed, not a secret

    def run(self, seconds: float) -> float:
        """Let time pass; posts carried a second (of size `SIZE`)."""
        until, before = self.now + seconds, self.carried
        while self.now < until:
            self._start()
            self.now = self._next_event()
            while self._posts and self._posts[0][0] <= self.now:
                self._end()
        return (self.carried - before) / seconds

    def _come(self) -> bool:
        return self.rate is None or self._sent < self.rate * self.now + 1

    def _start(self) -> None:
        while self.now >= self._held_until and len(self._posts) < self.limit.limit and self._come():
            self._sent += 1
            size = int(SIZE * 10 ** self.chance.uniform(-2, 0)) if self.mixed else SIZE
            seconds = self.endpoint(len(self._posts) + 1)
            took = 0.002 if seconds is None else seconds * size / SIZE * math.exp(self.chance.gauss(0, self.scatter))
            heappush(self._posts, (self.now + took, self._sent, self.now, size, seconds is None))
        self.limit.wanted = len(self._posts) >= self.limit.limit and self._come()

    def _next_event(self) -> float:
        times = [self._posts[0][0]] if self._posts else []
        if self.now < self._held_until:
            times.append(self._held_until)
        elif self.rate is not None and len(self._posts) < self.limit.limit:
            times.append(max(self.now, (self._sent - 1) / self.rate) + 1e-6)
        return min(times)

    def _end(self) -> None:
        in_flight = len(self._posts)
        _, _, started, size, refused = heappop(self._posts)
        if refused:
            self.refused += 1
            self._sent -= 1
            self._held_until = max(self._held_until, self.now + self.chance.uniform(0, 0.25))
        else:
            self.carried += size / SIZE
        found = Load.TOO_MUCH if refused else Load.CARRIED
        self.limit.settle(found, started=started, size=size, in_flight=in_flight, now=self.now)


def best_fixed(endpoint: Endpoint, seconds: float, scatter: float, highest: int) -> float:
    """Posts a second with the best limit that stays."""
    limits = range(1, highest + 1)
    return max(Simulation(endpoint, Fixed(limit), scatter=scatter).run(seconds) for limit in limits)
