"""Hours of a flow in seconds: the bounds and waits that ship, streams of records, a data mart that fails by chance.

`python -m tests.flow.simulated` prints the figures for brown-outs and for the outage of one subscription.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

from tests.flow.build import envelope, row
from tests.flow.mart import ACCEPT, FAIL
from worker.flow.batch import BatchPolicy
from worker.flow.breaker import BreakerPolicy
from worker.flow.flood import FloodPolicy
from worker.flow.flow import Flow
from worker.flow.jobs import Letter, Lettered, Post, Posted
from worker.flow.policy import FlowPolicy
from worker.flow.verdict import Verdict
from worker.model import Claim, Disposition

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from worker.flow.verdict import Answer

STEP = 0.1
LATENCY = (0.05, 0.4)
"""Seconds that a post takes, at least and at most."""


def shipped(chance: random.Random, *, records: int = 20_000, by_subscription: bool = False) -> FlowPolicy:
    """The policy that the default settings make, with waits from a seed."""

    def wait(attempt: int) -> float:
        return chance.uniform(0, min(30.0, 0.25 * 2.0 ** min(attempt - 1, 20)))

    return FlowPolicy(
        batch=BatchPolicy(500, 2**20, 0.1),
        breaker=BreakerPolicy(5, wait),
        flood=FloodPolicy(0.5, 2_000, 20_000),
        wait=wait,
        records=records,
        size=64 * 2**20,
        in_flight=6,
        attempts=8,
        retry_after=300,
        by_subscription=by_subscription,
    )


@dataclass
class Simulation:
    """Streams (records a second, by subscription) into a flow; `answer` is asked for each post as it ends.

    `answer` is given the offsets and the subscriptions of the post, and the time.
    """

    seed: int
    streams: Mapping[str, float]
    answer: Callable[[random.Random, set[int], set[str], float], Answer]
    by_subscription: bool = False
    now: float = 0.0
    read: Counter[str] = field(default_factory=Counter)
    stored: Counter[str] = field(default_factory=Counter)
    letters: dict[int, tuple[str, Disposition, float]] = field(default_factory=dict)
    posts: int = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)  # noqa: S311 - a seed, not a secret
        self.flow = Flow(shipped(self.chance, by_subscription=self.by_subscription))
        self.claim = Claim("t", 0, 1)
        self.flow.assign([self.claim])
        self._offsets = count()
        self._subscription: dict[int, str] = {}
        self._owed: Counter[str] = Counter()
        self._ends: list[tuple[float, int, Post]] = []

    def run(self, seconds: float, *, reading: bool = True) -> Simulation:
        """Let time pass."""
        until = self.now + seconds
        while self.now < until and (reading or not self.flow.idle):
            self.now += STEP
            if reading:
                self._read()
            self._settle()
            self._start()
        return self

    def put(self, subscription: str, records: int = 1) -> list[int]:
        """Records that come now; their offsets."""
        offsets = [next(self._offsets) for _ in range(min(records, self.flow.room))]
        self._subscription.update(dict.fromkeys(offsets, subscription))
        begun = self.flow.begin([envelope(self.claim, offset) for offset in offsets])
        self.flow.admit([row(each, subscription, b"x" * 600) for each in begun], [], self.now)
        self.read[subscription] += len(offsets)
        return offsets

    def _read(self) -> None:
        for subscription, rate in self.streams.items():
            self._owed[subscription] += rate * STEP  # type: ignore[assignment]
            whole = int(self._owed[subscription])
            if whole:
                self._owed[subscription] -= whole
                self.put(subscription, whole)

    def _start(self) -> None:
        for job in self.flow.due(self.now):
            if isinstance(job, Letter):
                each = job.rejection
                offset = each.envelope.offset
                self.letters[offset] = self._subscription[offset], each.refusal.disposition, self.now
                self.flow.settle(Lettered(job, None), self.now)
            else:
                self.posts += 1
                heappush(self._ends, (self.now + self.chance.uniform(*LATENCY), self.posts, job))

    def _settle(self) -> None:
        while self._ends and self._ends[0][0] <= self.now:
            _, _, post = heappop(self._ends)
            rows = post.batch.rows
            subscriptions = {each.subscription_id for each in rows}
            answer = self.answer(self.chance, {each.envelope.offset for each in rows}, subscriptions, self.now)
            if answer.verdict is Verdict.ACCEPTED:
                self.stored.update(each.subscription_id for each in rows)
            self.flow.settle(Posted(post, answer), self.now)

    def lettered(self, subscription: str | None = None) -> int:
        """How many records are dead-lettered, of one subscription or of all."""
        return sum(subscription in (None, found) for found, _, _ in self.letters.values())


def brown_out(share: float) -> Callable[[random.Random, set[int], set[str], float], Answer]:
    """So many of all posts fail, by chance; no record is at fault."""
    return lambda chance, _offsets, _subscriptions, _now: FAIL if chance.random() < share else ACCEPT


def sick(*names: str) -> Callable[[random.Random, set[int], set[str], float], Answer]:
    """Every post that holds a record of one of these subscriptions fails."""
    return lambda _chance, _offsets, subscriptions, _now: FAIL if subscriptions & set(names) else ACCEPT


def poisonous(*bad: int) -> Callable[[random.Random, set[int], set[str], float], Answer]:
    """Every post that holds one of these records fails."""
    return lambda _chance, offsets, _subscriptions, _now: FAIL if offsets & set(bad) else ACCEPT


def _figures() -> None:
    for share in (0.5, 0.67, 0.8, 0.9):
        for by_subscription in (False, True):
            made = Simulation(7, {f"s-{n}": 500.0 for n in range(4)}, brown_out(share), by_subscription)
            made.run(1800)
            read = made.read.total()
            print(  # noqa: T201 - figures for people
                f"brown-out {share:.0%}, lanes by {'subscription' if by_subscription else 'mart'}: {read} read, "
                f"{made.stored.total()} stored, {made.lettered()} dead-lettered, {made.posts} posts"
            )
    for rate in (0.1, 1.0, 10.0, 100.0):
        made = Simulation(7, {"sick": rate, "well": 20.0}, sick("sick")).run(7200)
        print(  # noqa: T201 - as above
            f"a sick subscription of {rate} records/s for 2 h: {made.read['sick']} read, {made.lettered()} "
            f"dead-lettered; the well one: {made.read['well']} read, {made.stored['well']} stored"
        )


if __name__ == "__main__":
    _figures()
