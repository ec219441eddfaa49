"""Whose failure it is: an outage's, a subscription's or a record's, told apart by what happens to others meanwhile."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.flow.lanes import MART

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from worker.flow.batch import Batch, Lane
    from worker.model import Row

ISOLATE = 2
"""Times that batches of one subscription alone fail while others pass in between, before it gets a lane of its own."""

ALONE = 30
"""Times the usual patience with a record that is all its subscription has: nobody else tells it from a sick one."""

CHANCE = 1e-9
"""How unlikely it must be that a record that fails alone has only had bad luck."""

MEMORY = 0.05
"""Weight of the latest first try in the share of those that fail."""


def first_try(lane: Lane, *, failed: bool) -> None:
    """Remember how the first post of a batch ended: what chance alone does in this lane."""
    lane.failing += (failed - lane.failing) * MEMORY


def patience(batch: Batch, lane: Lane, attempts: int) -> int:
    """Failures that blame a batch; those that dead-letter a record must be more than bad luck where many fail."""
    if len(batch.rows) > 1:
        return max(1, attempts // 2)
    if lane.key == MART or not lane.failing:
        return attempts
    unlikely = math.ceil(math.log(CHANCE) / math.log(min(lane.failing, 0.999)))
    return min(max(attempts, unlikely), attempts * ALONE)


def alone(batch: Batch, lane: Lane, attempts: int) -> bool:
    """Whether a record that only its own subscription could clear has failed for far too long.

    Else one poisonous record of a quiet subscription would keep its partition uncommitted for ever. A sick
    subscription pays for it with one record for each `ALONE` times the usual patience, probed one at a time.
    """
    return len(batch.rows) == 1 and lane.key != MART and batch.elsewhere >= attempts * ALONE


@dataclass(frozen=True, slots=True)
class _Suspect:
    times: int
    failed: float


class Suspects:
    """Subscriptions whose own batches fail while others of the common lane pass.

    What one batch alone takes long to show, all batches of a subscription show soon. Isolation costs a subscription
    little, and being beside a sick one costs the others a lot.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Suspect] = {}

    def failed(self, subscription: str, accept_started: float, now: float) -> bool:
        """A batch of it alone has failed; whether once too often. `accept_started`: of the latest post that passed."""
        known = self._known.get(subscription, _Suspect(0, now))
        times = known.times + (accept_started > known.failed)
        self._known[subscription] = _Suspect(times, now)
        if times < ISOLATE:
            return False
        del self._known[subscription]
        return True

    def passed(self, rows: Iterable[Row]) -> None:
        """These were accepted: their subscriptions are well."""
        if self._known:
            for subscription in {row.subscription_id for row in rows}:
                self._known.pop(subscription, None)

    def named(self) -> Collection[str]:
        """Those that have failed while others passed, at least once."""
        return [name for name, each in self._known.items() if each.times]
