"""How much may be open, and how long to insist."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from worker.flow.batch import BatchPolicy
    from worker.flow.breaker import BreakerPolicy
    from worker.flow.flood import FloodPolicy


@dataclass(frozen=True, slots=True)
class FlowPolicy:
    """How much may be open, and how long to insist.

    `records` and `size` (bytes as read) bound what is read and not settled; `in_flight` bounds the posts. `attempts`
    is how often one record may fail while others pass before it is dead-lettered; half as often, and a batch is split.
    `wait(n)` is the time in seconds before the n-th retry; `retry_after` caps what an endpoint may ask for.
    `pairing` is how many seconds one half of a scoring waits for the other, in the topics `paired` (each with
    its id and the group's).
    """

    batch: BatchPolicy
    breaker: BreakerPolicy
    flood: FloodPolicy
    wait: Callable[[int], float]
    records: int
    size: int
    in_flight: int
    attempts: int
    retry_after: float
    by_subscription: bool = False
    pairing: float = 60.0
    paired: Mapping[str, str] = field(default_factory=dict)
