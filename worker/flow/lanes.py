"""The lanes: one for all subscriptions together, and one of its own for each that fails while others pass."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from worker.flow.batch import Batch, Lane
from worker.flow.breaker import Breaker
from worker.flow.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from worker.flow.offsets import Ledgers
    from worker.flow.policy import FlowPolicy
    from worker.model import Claim, Row

MART = "mart"
"""The lane of all subscriptions together; the others are named by their subscription's id."""


class Lanes:
    """Which lane a row waits in, and which a batch goes back to. `turns` knows when something in a lane is due."""

    def __init__(self, policy: FlowPolicy, ledgers: Ledgers) -> None:
        self._policy = policy
        self._ledgers = ledgers
        self._lanes: dict[str, Lane] = {}
        self.turns = Turns()

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._lanes.values())

    @property
    def fresh(self) -> int:
        """Rows of all subscriptions together that wait for their first post."""
        mart = self._lanes.get(MART)
        return len(mart.rows) if mart is not None else 0

    def add(self, rows: Collection[Row], now: float) -> int:
        """Let rows wait in their lanes; how many they were."""
        policy = self._policy.batch
        for lane, those in self._homes(rows):
            new = not lane.rows
            lane.add(those, now)
            if lane.full(policy):
                self.turns.wake(lane, now)
            elif new:
                self.turns.wake(lane, now + policy.linger)
        return len(rows)

    def _homes(self, rows: Collection[Row]) -> Iterable[tuple[Lane, Collection[Row]]]:
        """The rows by their lanes: by one for all where no subscription has its own."""
        if rows and not self._policy.by_subscription and self._lanes.keys() <= {MART}:
            return ((self.of(MART), rows),)
        homes: dict[Lane, list[Row]] = {}
        for row in rows:
            homes.setdefault(self.of(row.subscription_id), []).append(row)
        return homes.items()

    def of(self, subscription: str) -> Lane:
        """The lane of a subscription's rows."""
        if not self._policy.by_subscription and subscription not in self._lanes:
            subscription = MART
        lane = self._lanes.get(subscription)
        if lane is None:
            lane = self._lanes[subscription] = self._new(subscription)
        return lane

    def isolated(self, lane: Lane) -> bool:
        """Whether a lane is of one subscription that has failed while others passed."""
        return lane.key != MART and not self._policy.by_subscription

    def again(self, lane: Lane, batch: Batch, *, front: bool = False) -> None:
        """Let a batch wait for its next try: without rows of claims that are gone, isolated subscriptions apart."""
        homes: dict[str, list[Row]] = {}
        for row in batch.rows:
            if row.envelope.claim in self._ledgers:
                isolated = lane.key == MART and row.subscription_id in self._lanes
                homes.setdefault(row.subscription_id if isolated else lane.key, []).append(row)
        for key, rows in homes.items():
            home = self._lanes.setdefault(key, lane)
            part = batch.only(rows)
            if front:
                home.ready.appendleft(part)
            else:
                home.ready.append(part)
            self.turns.wake(home, part.due)

    def isolate(self, subscription: str, now: float) -> bool:
        """Give a subscription a lane of its own, and move there what waits of it; False if it has one already."""
        if subscription in self._lanes:
            return False
        self._lanes[subscription] = self._new(subscription)
        mart = self.of(MART)
        self.add(mart.take_all(), now)
        waiting, mart.ready = mart.ready, deque()
        for batch in waiting:
            self.again(mart, batch)
        return True

    def rejoin(self, lane: Lane, now: float) -> None:
        """End the isolation of a subscription that has nothing left that failed."""
        current = self._lanes.get(lane.key) is lane  # a late answer may come for a lane that has been ended before
        if lane.key == MART or not current or lane.ready or not lane.breaker.closed:
            return
        if not self._policy.by_subscription:
            del self._lanes[lane.key]
            self.add(lane.take_all(), now)
        elif lane.empty:
            del self._lanes[lane.key]

    def drop(self, claims: Collection[Claim]) -> None:
        """Forget what waits for claims that are gone."""
        for lane in self._lanes.values():
            lane.drop(claims)

    def _new(self, key: str) -> Lane:
        lane = Lane(key, Breaker(self._policy.breaker))
        if MART in self._lanes:
            lane.failing = self._lanes[MART].failing
        return lane
