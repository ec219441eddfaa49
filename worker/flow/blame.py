"""Whose failure it is: an outage's, a subscription's or a record's, told apart by what happens to others meanwhile."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from worker.flow.lanes import MART

if TYPE_CHECKING:
    from collections.abc import Iterable

    from worker.flow.batch import Batch, Lane
    from worker.model import Row

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


class Suspects:
    """Subscriptions whose own batches have failed in the common lane, and when.

    What one batch alone takes long to show, all batches of a subscription show at once: one fails, others pass, another
    fails. Isolation costs a subscription little, and being beside a sick one costs the others a lot.
    """

    def __init__(self) -> None:
        self._failed: dict[str, float] = {}

    def failed(self, subscription: str, accept_started: float, now: float) -> bool:
        """A batch of it alone has failed; whether others passed since one did before. `accept_started`: the latest."""
        before = self._failed.get(subscription)
        if before is not None and accept_started > before:
            del self._failed[subscription]
            return True
        self._failed[subscription] = now
        return False

    def passed(self, rows: Iterable[Row]) -> None:
        """These were accepted: their subscriptions are well."""
        if self._failed:
            for subscription in {row.subscription_id for row in rows}:
                self._failed.pop(subscription, None)
