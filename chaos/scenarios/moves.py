"""S2: workers join and leave a group in order, one after another, by each of the three protocols."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from chaos.protocols import CONSUMER, COOPERATIVE, PROTOCOLS
from chaos.scenario import Place, Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaos.outcome import Outcome
    from chaos.ring import Ring
    from tests.way.stage import WorkerProcess

PARTITIONS = 6
DUPLICATES = 0.001
"""The share of duplicates that is allowed where the moves are in order."""
JOINS = (0.1, 0.3)
LEAVES = 0.6
"""The shares of the events that have arrived when the second and third worker join, and when the first leaves."""
SOON = {"KAFKA__CONSUMER__HEARTBEAT_INTERVAL_MS": "500"}
"""How soon the members hear of a rebalance; with the consumer protocol the broker decides."""
SLOW = {"match": {"path": "scoring_payloads$"}, "action": {"delay_ms": 150}}
SETTLE_SECONDS = 300


def play(place: Place) -> Iterator[Outcome]:
    """A backlog for three workers; the first leaves in the middle."""
    yield from place.each(partial(_play, place), PROTOCOLS)


def _play(place: Place, protocol: str) -> Outcome:
    events = place.pick(12_000, 500_000)
    with place.ring(protocol, partitions=PARTITIONS) as ring:
        ring.settings |= PROTOCOLS[protocol]
        if not place.full:  # so few events would be gone before the group has met
            ring.settings |= {"BATCH__RECORDS": "50", **(SOON if protocol != CONSUMER else {})}
            ring.mart.fault(SLOW)
        ring.writer.produce(events)
        _move(ring, events)
        return ring.close(protocol, duplicates=None if protocol == COOPERATIVE else int(events * DUPLICATES))


def _move(ring: Ring, events: int) -> None:
    with ExitStack() as stack:
        workers = [stack.enter_context(ring.worker())]
        for share in JOINS:
            _arrived(ring, events * share)
            workers.append(stack.enter_context(ring.worker()))
        _arrived(ring, events * LEAVES)
        assignments = _assignments(workers)
        ring.claim(assignments > len(JOINS), "the workers did not come together: nothing was moved")
        ring.stop(workers.pop(0))
        ring.until_done(SETTLE_SECONDS)
        ring.note("assignments", assignments + _assignments(workers))
        ring.stop_all(workers)


def _arrived(ring: Ring, events: float) -> None:
    ring.until(lambda: ring.watch.arrived >= events, f"{events:.0f} events", SETTLE_SECONDS)


def _assignments(workers: list[WorkerProcess]) -> int:
    return sum(len(worker.lines("partitions.assigned")) for worker in workers)


SCENARIOS = (
    Scenario("S2", "workers join and leave in order: nothing missing, at most 0.1 % twice (range, consumer)", play),
)
